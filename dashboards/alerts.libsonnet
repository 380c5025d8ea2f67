// alerts.libsonnet - the alerting rules, rendered to prometheus/liballoc-alerts.yaml.
//
// Each rule has a runbook in docs/runbooks/ and cases in tests/dashboards/<alert>_test.yaml: one where it fires and
// those where it must not. A rule must never fire for a missing series: absence of a process is not a fault of its heap.
{
  local config = $._config,
  local by_target = 'by (%s)' % std.join(', ', config.targetLabels),
  local alert(name, thresholds, expr, summary, description) = {
    alert: name,
    expr: expr,
    'for': thresholds['for'],
    labels: { severity: thresholds.severity },
    annotations: {
      summary: summary,
      description: description,
      runbook_url: '%s%s.md' % [config.runbookUrlPrefix, name],
    },
  },

  prometheusAlerts+:: {
    groups+: [
      {
        name: 'liballoc',
        rules: [
          alert(
            'LiballocHeapGrowing',
            config.heapGrowing,
            // Four conditions, each against one way to be wrong: slow growth does not matter; neither does growth that
            // is small for this heap; the floor of the last half hour above the ceiling an hour before it rejects a
            // sawtooth; a ceiling that still rises rejects a cache that has warmed up and stays. `offset` makes a
            // process younger than an hour silent.
            |||
              max %(by_target)s (
                deriv(liballoc_memstats_heap_alloc_bytes[1h]) > %(minimumBytesPerSecond)d
                and liballoc_memstats_heap_alloc_bytes
                  > %(minimumRatio)g * (liballoc_memstats_heap_alloc_bytes offset 1h)
                and min_over_time(liballoc_memstats_heap_alloc_bytes[30m])
                  > max_over_time(liballoc_memstats_heap_alloc_bytes[30m] offset 1h)
                and max_over_time(liballoc_memstats_heap_alloc_bytes[30m])
                  > max_over_time(liballoc_memstats_heap_alloc_bytes[30m] offset 30m)
              )
            ||| % config.heapGrowing { by_target: by_target },
            'The heap of a process keeps growing.',
            'The live heap of {{ $labels.service }} (pid {{ $labels.pid }}, seen by {{ $labels.instance }}) grows by ' +
            '{{ $value | humanize1024 }}B a second: its smallest size in the last 30 minutes is above its largest ' +
            'an hour earlier.',
          ),
          alert(
            'LiballocTargetStale',
            config.targetStale,
            |||
              max %(by_target)s (
                liballoc_epoch_age_seconds > %(maximumAgeSeconds)d
                and on (%(labels)s) liballoc_target_up == 1
              )
            ||| % config.targetStale { by_target: by_target, labels: std.join(', ', config.targetLabels) },
            'The figures of a running process are out of date.',
            'alloc-agent at {{ $labels.instance }} last read {{ $labels.service }} (pid {{ $labels.pid }}) ' +
            '{{ $value | humanizeDuration }} ago, though the process still runs.',
          ),
        ],
      },
    ],
  },
}
