// process.libsonnet - the dashboard "one process", rendered to grafana/liballoc-process.json.
//
// Every query selects by job, instance, service and pid, so that it shows one process and nothing else; the queries
// about the agent select by job and instance. Counters are shown as rates only. tests/dashboards runs every query
// against a live agent: a panel that stays empty there fails.
local p = import 'lib/panels.libsonnet';
{
  local config = $._config,
  local agent = 'job=~"$job", instance=~"$instance"',
  local process = agent + ', service="$service", pid="$pid"',
  // q('liballoc_x'): the series of this process. rate() likewise, per second.
  local q(metric) = '%s{%s}' % [metric, process],
  local rate(metric) = 'rate(%s{%s}[$__rate_interval])' % [metric, process],
  local memstats(field) = q('liballoc_memstats_' + field),
  // A legend entry; the instance tells two machines apart that have the same pid.
  local legend(text) = if text == '' then '{{instance}}' else text + ' {{instance}}',
  local curve(text, expr) = p.query(expr, legend(text)),
  local figure(expr) = p.instant_query(expr, '{{instance}}'),

  local overview = p.row('Overview', [
    p.label_table(
      'Process',
      'Which executable runs under which version of liballoc, and in which container.',
      [p.instant_query(q('liballoc_target_info'), '{{instance}}')],
      [
        ['instance', 'Agent'],
        ['service', 'Service'],
        ['pid', 'PID'],
        ['executable', 'Executable'],
        ['version', 'liballoc'],
        ['container', 'Container'],
      ],
    ),
    p.stat(
      'State',
      'Whether the process runs. An ended process keeps its last figures until the agent drops it (--retain-exited).',
      'none',
      [figure(q('liballoc_target_up'))],
      mappings=[{ type: 'value', options: { '0': { text: 'ended', color: 'orange' }, '1': { text: 'running', color: 'green' } } }],
    ),
    p.stat(
      'Started',
      'Time since the process started.',
      's',
      [figure('time() - ' + q('liballoc_process_start_time_seconds'))],
    ),
    p.stat('Live heap', 'Bytes of live objects.', 'bytes', [curve('', memstats('heap_alloc_bytes'))]),
    p.stat('Live objects', 'Objects allocated and not yet freed.', 'short', [curve('', memstats('heap_objects'))]),
    p.stat(
      'Resident memory',
      'Physical memory of the whole process, as the kernel counts it.',
      'bytes',
      [curve('', q('liballoc_process_resident_memory_bytes'))],
    ),
    p.stat(
      'Peak of the heap',
      'Most bytes that spans in use have taken at one time since the process started.',
      'bytes',
      [curve('', q('liballoc_heap_peak_inuse_bytes'))],
    ),
  ]),

  local heap = p.row('Heap', [
    p.time_series(
      'Heap memory',
      |||
        Live: bytes of live objects. In use: spans that hold at least one object. Idle: spans that hold none. Released: the
        part of idle that the OS has back. Heap: in use plus idle, the address space of the heap.
      |||,
      'bytes',
      [
        curve('live', memstats('heap_alloc_bytes')),
        curve('in use', memstats('heap_inuse_bytes')),
        curve('idle', memstats('heap_idle_bytes')),
        curve('released', memstats('heap_released_bytes')),
        curve('heap', memstats('heap_sys_bytes')),
      ],
    ),
    p.time_series(
      'Resident memory against the heap',
      |||
        How much of the resident memory of the process the heap explains. Resident above the heap's share: code, stacks,
        files and direct mmap. The heap's share above resident: pages that were never touched, or are swapped out.
      |||,
      'bytes',
      [
        curve('resident', q('liballoc_process_resident_memory_bytes')),
        curve('heap, not released', memstats('heap_sys_bytes') + ' - ' + memstats('heap_released_bytes')),
        curve('live', memstats('heap_alloc_bytes')),
        curve('soft limit', q('liballoc_soft_limit_bytes')),
      ],
    ),
    p.time_series(
      'Heap beyond live objects',
      |||
        In spans: in use minus live, an upper bound of fragmentation; free slots kept by threads are part of it. Retained:
        idle minus released, memory that could be given back to the OS.
      |||,
      'bytes',
      [
        curve('in spans', memstats('heap_inuse_bytes') + ' - ' + memstats('heap_alloc_bytes')),
        curve('in thread caches', q('liballoc_thread_cache_bytes')),
        curve('retained', memstats('heap_idle_bytes') + ' - ' + memstats('heap_released_bytes')),
      ],
    ),
    p.time_series(
      'Memory of the allocator itself',
      'Taken from the OS for other things than the heap: span and cache descriptors, profile tables and telemetry, page maps.',
      'bytes',
      [
        curve('spans', memstats('mspan_sys_bytes')),
        curve('thread caches', memstats('mcache_sys_bytes')),
        curve('profile and telemetry', memstats('buck_hash_sys_bytes')),
        curve('page maps', memstats('gc_sys_bytes')),
        curve('other', memstats('other_sys_bytes')),
      ],
      stack=true,
    ),
  ]),

  local allocation = p.row('Allocation', [
    p.time_series(
      'Allocation rate, bytes',
      'Bytes of the objects allocated per second, whether or not they were freed since.',
      'Bps',
      [curve('allocated', rate('liballoc_memstats_alloc_bytes_total'))],
      width=8,
    ),
    p.time_series(
      'Allocation rate, objects',
      'Objects allocated and freed per second. Allocated above freed for long means that live objects pile up.',
      'ops',
      [
        curve('allocated', rate('liballoc_memstats_mallocs_total')),
        curve('freed', rate('liballoc_memstats_frees_total')),
      ],
      width=8,
    ),
    p.time_series(
      'Live objects',
      'Objects allocated and not yet freed.',
      'short',
      [curve('live', memstats('heap_objects'))],
      width=8,
    ),
  ]),

  local by_class(metric) = p.query(q(metric), '{{size_class}} {{instance}}'),
  local size_classes = p.row('Size classes', [
    p.time_series(
      'Live bytes per size class',
      'Bytes of live objects by the size of their slots in bytes; "large" objects have a span of their own.',
      'bytes',
      [by_class('liballoc_size_class_live_bytes')],
      stack=true,
      height=10,
    ),
    p.time_series(
      'Live objects per size class',
      'Live objects by the size of their slots in bytes.',
      'short',
      [by_class('liballoc_size_class_live_objects')],
      stack=true,
      height=10,
    ),
    p.time_series(
      'Spans per size class',
      'Spans in use by the size of their slots, those kept by thread caches included. Many spans for few live bytes: fragmentation.',
      'short',
      [by_class('liballoc_size_class_spans')],
      stack=true,
      height=10,
    ),
    p.time_series(
      'Allocation rate per size class',
      'Objects allocated per second by the size of their slots in bytes.',
      'ops',
      [p.query(rate('liballoc_size_class_mallocs_total'), '{{size_class}} {{instance}}')],
      stack=true,
      height=10,
    ),
  ]),

  local page_heap = p.row('Page heap and OS', [
    p.time_series(
      'Spans',
      'Runs of pages by state: in use, or idle in the page heap.',
      'short',
      [p.query(q('liballoc_spans'), '{{state}} {{instance}}')],
      stack=true,
      width=8,
    ),
    p.time_series(
      'Address space by state',
      'Reserved: addresses only. Prepared: can be made usable at once, no memory behind it. Ready: usable.',
      'bytes',
      [p.query(q('liballoc_os_memory_bytes'), '{{state}} {{instance}}')],
      stack=true,
      width=8,
    ),
    p.time_series(
      'Memory given back',
      'Bytes per second that the scavenger gives back to the OS.',
      'Bps',
      [curve('scavenged', rate('liballoc_scavenged_bytes_total'))],
      width=8,
    ),
    p.time_series(
      'Calls to the OS',
      'Calls per second to the OS memory layer, by call, and times per second that the heap had to grow.',
      'ops',
      [
        p.query(rate('liballoc_os_calls_total'), '{{call}} {{instance}}'),
        curve('heap grows', rate('liballoc_heap_grows_total')),
      ],
      width=8,
    ),
    p.time_series(
      'Limits',
      'How often per second the soft limit was reached, and requests were refused with ENOMEM.',
      'ops',
      [
        curve('soft limit reached', rate('liballoc_soft_limit_hits_total')),
        curve('out of memory', rate('liballoc_out_of_memory_total')),
      ],
      width=8,
    ),
    p.time_series(
      'Threads',
      'Threads that have a cache now.',
      'short',
      [curve('threads', q('liballoc_threads'))],
      width=8,
    ),
  ]),

  local telemetry = p.row('Samples and telemetry health', [
    p.time_series(
      'Sampled objects',
      'Sampled objects that are alive: what the heap profile of this process is made of.',
      'short',
      [curve('alive', q('liballoc_profile_samples_live'))],
      width=8,
    ),
    p.time_series(
      'Samples taken',
      'Objects sampled per second. It costs a stack walk each.',
      'ops',
      [curve('samples', rate('liballoc_profile_samples_total'))],
      width=8,
    ),
    p.time_series(
      'Sampling interval',
      'Mean bytes between two samples; 0 means that sampling is off.',
      'bytes',
      [curve('interval', q('liballoc_sampling_interval_bytes'))],
      width=8,
    ),
    p.time_series(
      'Events',
      |||
        Events per second that the process writes to its ring; dropped: overwritten before the agent read them; corrupt:
        left out because their values cannot be. Dropped events do not affect the other panels.
      |||,
      'ops',
      [
        curve('written', rate('liballoc_ring_events_total')),
        curve('dropped', rate('liballoc_ring_dropped_total')),
        curve('corrupt', rate('liballoc_ring_corrupt_total')),
      ],
      width=8,
    ),
    p.time_series(
      'Age of the figures',
      'How old the figures of this process were when Prometheus asked for them.',
      's',
      [curve('age', q('liballoc_epoch_age_seconds'))],
      width=8,
    ),
    p.time_series(
      'Work of the agent',
      'Share of one processor that the agent spends on reading segments, for all its processes together.',
      'percentunit',
      [p.query('rate(liballoc_agent_collect_seconds_total{%s}[$__rate_interval])' % agent, 'reading {{instance}}')],
      width=8,
    ),
  ]),

  grafanaDashboards+:: {
    'liballoc-process.json': {
      uid: config.processDashboardUid,
      title: 'liballoc / one process',
      description: 'Heap, allocation, size classes and telemetry of one process that runs under liballoc.',
      tags: config.dashboardTags,
      schemaVersion: 42,
      version: 1,
      editable: false,
      graphTooltip: 1,
      refresh: '30s',
      time: { from: 'now-1h', to: 'now' },
      timezone: 'browser',
      fiscalYearStartMonth: 0,
      weekStart: '',
      links: [],
      annotations: { list: [] },
      templating: {
        list: [
          p.datasource_variable,
          p.label_variable('job', 'liballoc_target_up', many=true),
          p.label_variable('instance', 'liballoc_target_up{job=~"$job"}', many=true),
          p.label_variable('service', 'liballoc_target_up{%s}' % agent, many=false),
          p.label_variable('pid', 'liballoc_target_up{%s, service="$service"}' % agent, many=false, numeric=true),
        ],
      },
      panels: p.layout([overview, heap, allocation, size_classes, page_heap, telemetry]),
    },
  },
}
