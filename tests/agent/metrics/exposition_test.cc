// exposition_test.cc - the formats of a scrape: negotiation, bytes, and what promtool says about
// them.
#include "agent/metrics/exposition.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/metrics/collector.h"
#include "tests/agent/metrics/sample_process.h"

namespace liballoc::agent {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const std::string& name, MetricType type, double value,
                    std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric sample;
  sample.label = std::move(labels);
  sample.counter.value = sample.gauge.value = value;
  return {name, "Some help.", type, {sample}};
}

std::string full_scrape(ExpositionFormat format) {
  CollectorInput input;
  input.processes = {sample_process(), sample_process(1, "we \"quote\" \\ and\nbreak")};
  input.now_unix_ns = kSampleTime + kSecond;
  input.agent.segments_rejected = {{"bad_magic", 1}};
  input.http_requests = {{"/metrics", 200, 1}};
  MetricsCollector collector(10);
  return expose(collector.collect(input), format);
}

// Exit code and output of a command that gets `text` on its standard input.
std::pair<int, std::string> run_with_input(const std::string& command, const std::string& text) {
  char name[] = "/tmp/liballoc-metrics-XXXXXX";
  const int fd = mkstemp(name);
  EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  FILE* pipe = popen((command + " < " + name + " 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  unlink(name);
  return {status, output};
}

TEST(NegotiateFormat, picks_the_best_quality_that_can_be_served) {
  using F = ExpositionFormat;
  const std::pair<const char*, F> kCases[] = {
      {"", F::kText004},
      {"*/*", F::kText004},
      {"text/plain", F::kText004},
      {"text/html", F::kText004},
      {"application/json", F::kText004},
      {"application/openmetrics-text", F::kOpenMetrics100},
      {"Application/OpenMetrics-Text; Version=1.0.0", F::kOpenMetrics100},
      {"application/openmetrics-text; version=9.0.0, text/plain;q=0.1", F::kText004},
      {"application/openmetrics-text;q=0, text/plain;q=0.1", F::kText004},
      {"application/openmetrics-text;q=x, text/plain;q=0.1", F::kText004},
      {"application/openmetrics-text;q=1e9, text/plain;q=0.1", F::kText004},
      {"text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.6", F::kOpenMetrics100},
      {"text/plain;version=1.0.0", F::kText100},
      // Prometheus 2.42
      {"application/openmetrics-text;version=1.0.0,application/"
       "openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       F::kOpenMetrics100},
      // Prometheus 3
      {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
       "openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
       "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
       F::kOpenMetrics100},
      // Prometheus 2 with native histograms: the protobuf format is not served
      {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
       "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5",
       F::kOpenMetrics001},
      {",,;;q,=;", F::kText004},
  };
  for (const auto& [accept, expected] : kCases) {
    EXPECT_EQ(negotiate_format(accept), expected) << accept;
  }
}

TEST(AcceptsGzip, reads_the_quality) {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip;q=0.5", "*", "br;q=1, *;q=0.1"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no : {"", "identity", "gzip;q=0", "deflate", "gzip;q=0, *", "xgzip", "*;q=0"}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

TEST(TextFormat, passes_promtool) {
  const std::string text = full_scrape(ExpositionFormat::kText004);
  const auto [status, output] = run_with_input("promtool check metrics", text);
  EXPECT_EQ(status, 0) << output;
  EXPECT_EQ(output, "") << "promtool prints what it does not like";
  EXPECT_NE(text.find("# TYPE liballoc_memstats_alloc_bytes_total counter\n"), std::string::npos);
  EXPECT_NE(text.find("liballoc_target_up{pid=\"4242\",service=\"checkout\"} 1\n"),
            std::string::npos);
}

TEST(OpenMetricsFormat, names_counter_families_without_total_and_ends_with_eof) {
  const std::string text = expose({family("x_bytes_total", MetricType::Counter, 12, {{"pid", "1"}}),
                                   family("y_seconds", MetricType::Gauge, 0.25)},
                                  ExpositionFormat::kOpenMetrics100);
  EXPECT_EQ(text,
            "# TYPE x_bytes counter\n"
            "# HELP x_bytes Some help.\n"
            "x_bytes_total{pid=\"1\"} 12\n"
            "# TYPE y_seconds gauge\n"
            "# HELP y_seconds Some help.\n"
            "y_seconds 0.25\n"
            "# EOF\n");
}

TEST(OpenMetricsFormat, a_counter_whose_family_name_is_taken_is_unknown) {
  const std::string text = expose(
      {family("x_bytes", MetricType::Gauge, 1), family("x_bytes_total", MetricType::Counter, 2)},
      ExpositionFormat::kOpenMetrics100);
  EXPECT_EQ(text,
            "# TYPE x_bytes gauge\n"
            "# HELP x_bytes Some help.\n"
            "x_bytes 1\n"
            "# TYPE x_bytes_total unknown\n"
            "# HELP x_bytes_total Some help.\n"
            "x_bytes_total 2\n"
            "# EOF\n");
}

TEST(OpenMetricsFormat, escapes_label_values) {
  const std::string text =
      expose({family("x", MetricType::Gauge, 1, {{"a", "q\"b\\n\n"}, {"b", ""}})},
             ExpositionFormat::kOpenMetrics100);
  EXPECT_NE(text.find("x{a=\"q\\\"b\\\\n\\n\",b=\"\"} 1\n"), std::string::npos) << text;
}

TEST(OpenMetricsFormat, writes_numbers_so_that_they_come_back) {
  const auto line = [](double value) {
    const std::string text =
        expose({family("x", MetricType::Gauge, value)}, ExpositionFormat::kOpenMetrics100);
    const size_t start = text.find("\nx ") + 3;
    return text.substr(start, text.find('\n', start) - start);
  };
  for (double value : {0.0, 1.0, 0.1, 1e300, 9007199254740992.0, 1700000000.123}) {
    EXPECT_EQ(std::stod(line(value)), value);
  }
  EXPECT_EQ(line(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(line(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(OpenMetricsFormat, of_a_full_scrape_has_units_info_and_each_family_once) {
  const std::string text = full_scrape(ExpositionFormat::kOpenMetrics100);
  EXPECT_NE(text.find("# TYPE liballoc_target info\n"), std::string::npos);
  EXPECT_NE(text.find("\nliballoc_target_info{"), std::string::npos);
  EXPECT_NE(text.find("# UNIT liballoc_scavenged_bytes bytes\n"), std::string::npos);
  std::set<std::string> seen;
  for (size_t at = text.find("# TYPE "); at != std::string::npos;
       at = text.find("# TYPE ", at + 1)) {
    const std::string name = text.substr(at + 7, text.find(' ', at + 7) - at - 7);
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
}

}  // namespace
}  // namespace liballoc::agent
