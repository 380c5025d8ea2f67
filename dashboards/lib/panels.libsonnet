// panels.libsonnet - the few Grafana panel shapes we use, and a layout that cannot overlap.
//
// Knows Grafana's JSON and nothing of liballoc: no metric name may appear here. Every panel must have a description and
// a unit, so both are parameters without a default. Ids and positions are given by layout() alone.
{
  local datasource = { type: 'prometheus', uid: '${datasource}' },

  // One curve. The letter that Grafana calls refId is given by the panel.
  query(expr, legend):: { expr: std.rstripChars(expr, '\n'), legendFormat: legend },
  // The newest value only, for tables and single figures.
  instant_query(expr, legend):: self.query(expr, legend) { instant: true, range: false },

  local targets(queries) = std.mapWithIndex(
    function(i, q) {
      datasource: datasource,
      editorMode: 'code',
      refId: std.char(std.codepoint('A') + i),
      instant: false,
      range: true,
    } + q,
    queries
  ),

  local panel(type, title, description, unit, queries) = {
    type: type,
    title: title,
    description: description,
    datasource: datasource,
    targets: targets(queries),
    fieldConfig: { defaults: { unit: unit, min: 0 }, overrides: [] },
  },

  // Curves over time. `stack` adds them up; `width` is in the 24 columns of Grafana.
  time_series(title, description, unit, queries, stack=false, width=12, height=8)::
    panel('timeseries', title, description, unit, queries) {
      size:: { w: width, h: height },
      fieldConfig+: {
        defaults+: {
          custom: {
            drawStyle: 'line',
            lineWidth: 1,
            fillOpacity: if stack then 30 else 0,
            showPoints: 'never',
            spanNulls: false,
            stacking: { mode: if stack then 'normal' else 'none', group: 'A' },
          },
        },
      },
      options: {
        legend: { displayMode: 'table', placement: 'right', showLegend: true, calcs: ['lastNotNull', 'max'] },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
    },

  // One figure per query.
  stat(title, description, unit, queries, width=4, height=4, mappings=[])::
    panel('stat', title, description, unit, queries) {
      size:: { w: width, h: height },
      fieldConfig+: { defaults+: { mappings: mappings } },
      options: {
        colorMode: 'none',
        graphMode: 'area',
        justifyMode: 'auto',
        orientation: 'auto',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        textMode: 'auto',
      },
    },

  // One row per series of an instant query; `columns` maps label names to headings, in order. The value is left out.
  label_table(title, description, queries, columns, width=24, height=4)::
    panel('table', title, description, 'none', queries) {
      size:: { w: width, h: height },
      targets: [t { format: 'table' } for t in super.targets],
      options: { showHeader: true, cellHeight: 'sm' },
      transformations: [
        { id: 'filterFieldsByName', options: { include: { names: [c[0] for c in columns] } } },
        {
          id: 'organize',
          options: {
            indexByName: { [columns[i][0]]: i for i in std.range(0, std.length(columns) - 1) },
            renameByName: { [c[0]]: c[1] for c in columns },
          },
        },
      ],
    },

  // A heading with the panels below it.
  row(title, panels):: { title: title, panels: panels },

  // The panels of a dashboard: rows from top to bottom, panels from left to right, wrapped at 24 columns.
  layout(rows)::
    local place = function(state, p)
      local wraps = state.x + p.size.w > 24;
      local x = if wraps then 0 else state.x;
      local y = if wraps then state.y + state.h else state.y;
      local h = if wraps then p.size.h else std.max(state.h, p.size.h);
      state {
        x: x + p.size.w,
        y: y,
        h: h,
        id: super.id + 1,
        panels+: [p { id: state.id, gridPos: { x: x, y: y, w: p.size.w, h: p.size.h } }],
      };
    local place_row = function(state, r)
      local heading = {
        type: 'row',
        id: state.id,
        title: r.title,
        collapsed: false,
        gridPos: { x: 0, y: state.y, w: 24, h: 1 },
        panels: [],
      };
      local start = { x: 0, y: state.y + 1, h: 0, id: state.id + 1, panels: state.panels + [heading] };
      local end = std.foldl(place, r.panels, start);
      { y: end.y + end.h, id: end.id, panels: end.panels };
    std.foldl(place_row, rows, { y: 0, id: 1, panels: [] }).panels,

  // ---- variables ----------------------------------------------------------------------------------------------------

  datasource_variable:: {
    name: 'datasource',
    label: 'Data source',
    type: 'datasource',
    query: 'prometheus',
    current: {},
    hide: 0,
    includeAll: false,
    multi: false,
    options: [],
    refresh: 1,
    regex: '',
  },

  // The values of a label; `series` is the selector they are taken from. `many`: several values, or all of them.
  // Sorted as text, numbers (`numeric`) by value.
  label_variable(name, series, many, numeric=false):: {
    local query = 'label_values(%s, %s)' % [series, name],
    name: name,
    label: name,
    type: 'query',
    datasource: datasource,
    definition: query,
    query: { qryType: 1, query: query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    current: {},
    hide: 0,
    includeAll: many,
    multi: many,
    options: [],
    refresh: 2,
    regex: '',
    sort: if numeric then 3 else 1,
  } + if many then { allValue: '.+' } else {},
}
