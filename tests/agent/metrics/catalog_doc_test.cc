// catalog_doc_test.cc - keeps docs/metrics.md equal to the catalog; LIBALLOC_UPDATE_DOCS=1 rewrites
// the page.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>
#include <string>

#include "agent/metrics/catalog.h"

namespace liballoc::agent {
namespace {

std::string type_name(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kInfo:
      return "info";
  }
  return "";
}

std::string labels_of(const MetricInfo& info) {
  std::string out;
  std::istringstream labels{std::string(info.labels)};
  for (std::string label; std::getline(labels, label, ',');) {
    out += (out.empty() ? "`" : ", `") + label + "`";
  }
  return out;
}

std::string page() {
  std::string out =
      "# Metrics\n\n"
      "Everything `/metrics` of alloc-agent exports, in its order. This page is made from\n"
      "`agent/metrics/catalog.h`; a test keeps the two equal.\n\n"
      "- `pid` is the pid in the process's own PID namespace. Where running processes of the same\n"
      "  service share a pid in different namespaces, it is `pid@namespace` for each of them.\n"
      "- A process that has ended keeps `liballoc_target_up` 0 and `liballoc_target_info` while "
      "it\n"
      "  is retained; its other series end.\n"
      "- A size class appears once it has been used. `size_class` is the object size in bytes, or\n"
      "  `large`.\n"
      "- In the OpenMetrics format `liballoc_memstats_alloc_bytes_total` has the type unknown, "
      "since\n"
      "  a counter's family would be named like the gauge `liballoc_memstats_alloc_bytes`.\n\n"
      "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricInfo& info : kCatalog) {
    out += "| `" + std::string(info.name) + "` | " + type_name(info.kind) + " | " +
           labels_of(info) + " | " + std::string(info.help) + " |\n";
  }
  return out;
}

TEST(MetricsPage, says_what_the_catalog_says) {
  const std::string path = LIBALLOC_METRICS_PAGE;
  if (getenv("LIBALLOC_UPDATE_DOCS") != nullptr) std::ofstream(path) << page();
  std::ifstream file(path);
  ASSERT_TRUE(file.good()) << path;
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_EQ(content.str(), page()) << "run this test with LIBALLOC_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace liballoc::agent
