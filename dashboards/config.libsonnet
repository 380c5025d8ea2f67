// config.libsonnet - every name and threshold that a user of the mixin may want to change.
// Holds values only: an expression belongs into the alert or the panel that uses it.
{
  _config:: {
    // What identifies one process: the agent that saw it, then the process. Alerts aggregate by these labels.
    targetLabels: ['job', 'instance', 'service', 'pid'],

    // Prefix of runbook_url. Relative to the repository; set it to where your copy of docs/ is served.
    runbookUrlPrefix: 'docs/runbooks/',

    dashboardTags: ['liballoc', 'memory'],
    processDashboardUid: 'liballoc-process',

    heapGrowing: {
      // Slower growth is left alone: 4 KiB/s is 14 MiB an hour, 10 GiB a month.
      minimumBytesPerSecond: 4096,
      // Growth within the hour, as a factor of the heap an hour ago.
      minimumRatio: 1.2,
      severity: 'warning',
      'for': '30m',
    },
    targetStale: {
      // The agent reads a segment at every scrape; a minute is several scrapes at the usual intervals.
      maximumAgeSeconds: 60,
      severity: 'warning',
      'for': '5m',
    },
  },
}
