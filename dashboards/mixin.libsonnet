// mixin.libsonnet - the dashboards and alerts of liballoc as a monitoring mixin.
//
// The source of everything in grafana/ and prometheus/, which dashboards/render writes; a test holds the two equal.
// Override what you need in your own mixin: (import 'mixin.libsonnet') + { _config+:: { ... } }.
// Must never name a data source, a job or a host: those are variables of the dashboard and labels of the alerts.
(import 'config.libsonnet') +
(import 'alerts.libsonnet') +
(import 'process.libsonnet')
