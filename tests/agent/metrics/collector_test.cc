// collector_test.cc - what a scrape contains for running, ended, colliding and lying processes.
#include "agent/metrics/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "agent/metrics/catalog.h"
#include "tests/agent/metrics/sample_process.h"

namespace liballoc::agent {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A cgroup tree in a temporary directory.
class CgroupTree {
 public:
  CgroupTree() {
    std::string name = "/tmp/liballoc-cgroup-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~CgroupTree() { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string root() const { return root_.string(); }

 private:
  std::filesystem::path root_;
};

CollectorInput input_of(std::vector<std::shared_ptr<const Snapshot>> processes) {
  CollectorInput input;
  input.processes = std::move(processes);
  input.now_unix_ns = kSampleTime + 5 * kSecond;
  input.agent.version = "0.1.0";
  input.agent.revision = "abc";
  input.agent.segments_rejected = {{"bad_magic", 2}};
  input.agent.collections = 11;
  input.agent.collect_seconds = 0.5;
  input.agent.grpc_handled = {{"/a.v1.Stats/Get", "OK", 7}};
  input.agent.processes_live = 1;
  input.agent.processes_exited = 2;
  input.http_requests = {{"/metrics", 200, 3}};
  return input;
}

std::string labels_of(const ClientMetric& sample) {
  std::string out;
  for (const auto& label : sample.label) out += label.name + "=" + label.value + ";";
  return out;
}

// family -> labels -> value
using Series = std::map<std::string, std::map<std::string, double>>;

Series series_of(const std::vector<MetricFamily>& families) {
  Series out;
  for (const MetricFamily& family : families) {
    for (const ClientMetric& sample : family.metric) {
      const bool counter = family.type == prometheus::MetricType::Counter;
      const bool is_new =
          out[family.name]
              .emplace(labels_of(sample), counter ? sample.counter.value : sample.gauge.value)
              .second;
      EXPECT_TRUE(is_new) << "two series " << family.name << " " << labels_of(sample);
    }
  }
  return out;
}

const std::string kId = "pid=4242;service=checkout;";

TEST(MetricsCatalog, follows_the_naming_rules) {
  std::set<std::string_view> names;
  for (const MetricInfo& info : kCatalog) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.name.starts_with("liballoc_")) << info.name;
    EXPECT_EQ(info.name.ends_with("_total"), info.kind == MetricKind::kCounter) << info.name;
    EXPECT_EQ(info.name.ends_with("_info"), info.kind == MetricKind::kInfo) << info.name;
    EXPECT_EQ(info.help.find_first_of("\n\\"), std::string_view::npos) << info.name;
    EXPECT_TRUE(info.help.ends_with('.')) << info.name;
    if (!info.unit.empty()) {
      EXPECT_NE(info.name.find("_" + std::string(info.unit)), std::string_view::npos) << info.name;
    }
  }
}

TEST(MetricsCollector, exports_every_metric_of_the_catalog_with_its_labels_and_no_other) {
  CgroupTree tree;
  tree.write("app/memory.current", "4096\n");
  tree.write("app/memory.max", "8192\n");
  tree.write("app/memory.high", "6144\n");
  tree.write("app/memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n");
  auto process = sample_process();
  process->identity.cgroup = "/app";
  MetricsCollector collector(10, CgroupReader(tree.root()));
  const auto families = collector.collect(input_of({process}));

  ASSERT_EQ(families.size(), kCatalog.size());
  for (size_t i = 0; i < families.size(); ++i) {
    EXPECT_EQ(families[i].name, kCatalog[i].name);
    EXPECT_EQ(families[i].help, kCatalog[i].help);
    for (const ClientMetric& sample : families[i].metric) {
      std::string labels;
      for (const auto& label : sample.label) labels += (labels.empty() ? "" : ",") + label.name;
      EXPECT_EQ(labels, kCatalog[i].labels) << families[i].name;
    }
  }
}

TEST(MetricsCollector, takes_each_figure_from_its_field) {
  auto process = sample_process();
  const MemStats& m = process->memstats;
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({process})));
  const auto value = [&](const std::string& name) { return series["liballoc_" + name][kId]; };
  const auto is = [](uint64_t number) { return static_cast<double>(number); };

  EXPECT_EQ(value("memstats_alloc_bytes"), is(m.alloc));
  EXPECT_EQ(value("memstats_alloc_bytes_total"), is(m.total_alloc));
  EXPECT_EQ(value("memstats_sys_bytes"), is(m.sys));
  EXPECT_EQ(value("memstats_mallocs_total"), is(m.mallocs));
  EXPECT_EQ(value("memstats_frees_total"), is(m.frees));
  EXPECT_EQ(value("memstats_heap_alloc_bytes"), is(m.heap_alloc));
  EXPECT_EQ(value("memstats_heap_sys_bytes"), is(m.heap_sys));
  EXPECT_EQ(value("memstats_heap_idle_bytes"), is(m.heap_idle));
  EXPECT_EQ(value("memstats_heap_inuse_bytes"), is(m.heap_inuse));
  EXPECT_EQ(value("memstats_heap_released_bytes"), is(m.heap_released));
  EXPECT_EQ(value("memstats_heap_objects"), is(m.heap_objects));
  EXPECT_EQ(value("memstats_mspan_inuse_bytes"), is(m.mspan_inuse));
  EXPECT_EQ(value("memstats_mspan_sys_bytes"), is(m.mspan_sys));
  EXPECT_EQ(value("memstats_mcache_inuse_bytes"), is(m.mcache_inuse));
  EXPECT_EQ(value("memstats_mcache_sys_bytes"), is(m.mcache_sys));
  EXPECT_EQ(value("memstats_buck_hash_sys_bytes"), is(m.buck_hash_sys));
  EXPECT_EQ(value("memstats_gc_sys_bytes"), is(m.gc_sys));
  EXPECT_EQ(value("memstats_other_sys_bytes"), is(m.other_sys));
  EXPECT_EQ(value("process_resident_memory_bytes"), is(m.resident_bytes));
  EXPECT_EQ(value("process_virtual_memory_bytes"), is(m.virtual_bytes));
  EXPECT_EQ(value("process_start_time_seconds"), 1700000000.0 - 3600);
  EXPECT_EQ(value("heap_peak_inuse_bytes"), is(m.peak_heap_inuse));
  EXPECT_EQ(value("heap_grows_total"), is(m.heap_grows));
  EXPECT_EQ(value("scavenged_bytes_total"), is(m.scavenged_bytes_total));
  EXPECT_EQ(value("scavenge_seconds_total"), 1.5);
  EXPECT_EQ(value("soft_limit_bytes"), is(m.soft_limit));
  EXPECT_EQ(value("soft_limit_hits_total"), is(m.soft_limit_hits));
  EXPECT_EQ(value("out_of_memory_total"), is(m.out_of_memory));
  EXPECT_EQ(value("threads"), is(m.threads_live));
  EXPECT_EQ(value("threads_started_total"), is(m.threads_started));
  EXPECT_EQ(value("arenas"), is(m.arenas));
  EXPECT_EQ(value("thread_cache_bytes"), is(m.thread_cache_bytes));
  EXPECT_EQ(value("os_call_failures_total"), is(m.os_calls[7]));
  EXPECT_EQ(value("ring_events_total"), 900);
  EXPECT_EQ(value("ring_dropped_total"), 90);
  EXPECT_EQ(value("ring_corrupt_total"), 9);
  EXPECT_EQ(value("telemetry_dropped_records"), 4);
  EXPECT_EQ(value("epoch_age_seconds"), 5);
  EXPECT_EQ(value("profile_samples_live"), is(m.samples_live));
  EXPECT_EQ(value("profile_samples_total"), is(m.samples_taken));
  EXPECT_EQ(value("sampling_interval_bytes"), 524288);
  EXPECT_EQ(value("target_up"), 1);
  EXPECT_EQ(series["liballoc_spans"][kId + "state=in_use;"], is(m.spans_live));
  EXPECT_EQ(series["liballoc_spans"][kId + "state=idle;"], is(m.spans_idle));
  EXPECT_EQ(series["liballoc_os_memory_bytes"][kId + "state=reserved;"], is(m.os_reserved));
  EXPECT_EQ(series["liballoc_os_memory_bytes"][kId + "state=prepared;"], is(m.os_prepared));
  EXPECT_EQ(series["liballoc_os_memory_bytes"][kId + "state=ready;"], is(m.os_ready));
  EXPECT_EQ(series["liballoc_os_calls_total"].size(), 7u);
  EXPECT_EQ(series["liballoc_os_calls_total"][kId + "call=unused;"], is(m.os_calls[3]));
  EXPECT_EQ(series["liballoc_os_calls_total"][kId + "call=free;"], is(m.os_calls[6]));
}

TEST(MetricsCollector, reports_size_classes_by_bytes_once_they_are_used) {
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({sample_process()})));
  const auto& live = series["liballoc_size_class_live_objects"];
  EXPECT_THAT(live, UnorderedElementsAre(std::pair(kId + "size_class=48;", 60.0),
                                         std::pair(kId + "size_class=large;", 3.0)));
  EXPECT_EQ(series["liballoc_size_class_mallocs_total"][kId + "size_class=48;"], 100);
  EXPECT_EQ(series["liballoc_size_class_frees_total"][kId + "size_class=48;"], 40);
  EXPECT_EQ(series["liballoc_size_class_live_bytes"][kId + "size_class=large;"], 300000);
  EXPECT_EQ(series["liballoc_size_class_spans"][kId + "size_class=large;"], 3);
}

TEST(MetricsCollector, adds_up_classes_that_claim_the_same_size) {
  auto process = sample_process();
  process->memstats.by_size[9] = process->memstats.by_size[3];
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({process})));
  EXPECT_EQ(series["liballoc_size_class_mallocs_total"][kId + "size_class=48;"], 200);
}

TEST(MetricsCollector, leaves_out_limits_that_are_not_set_and_figures_the_kernel_did_not_give) {
  auto process = sample_process();
  process->memstats.soft_limit = 0;
  process->memstats.resident_bytes = 0;
  process->memstats.virtual_bytes = 0;
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({process})));
  EXPECT_EQ(series.count("liballoc_soft_limit_bytes"), 0u);
  EXPECT_EQ(series.count("liballoc_process_resident_memory_bytes"), 0u);
  EXPECT_EQ(series.count("liballoc_process_virtual_memory_bytes"), 0u);
  EXPECT_EQ(series.count("liballoc_cgroup_memory_current_bytes"), 0u);
}

TEST(MetricsCollector, an_ended_process_keeps_only_up_and_info) {
  auto process = sample_process();
  process->state = ProcessState::kKilled;
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({process})));
  std::set<std::string> with_pid;
  for (const auto& [name, samples] : series) {
    if (samples.begin()->first.starts_with("pid=")) with_pid.insert(name);
  }
  EXPECT_THAT(with_pid, ElementsAre("liballoc_target_info", "liballoc_target_up"));
  EXPECT_EQ(series["liballoc_target_up"][kId], 0);
}

TEST(MetricsCollector, info_names_the_executable_the_version_and_the_container) {
  const std::string container(64, 'a');
  auto process = sample_process();
  process->identity.cgroup = "/system.slice/docker-" + container + ".scope";
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({process})));
  EXPECT_EQ(series["liballoc_target_info"][kId + "executable=/usr/bin/checkout;version=0.1.0;" +
                                           "container=" + container + ";"],
            1);
}

TEST(MetricsCollector, a_reused_pid_shows_the_running_process_only) {
  auto ended = sample_process();
  ended->identity.key = "liballoc.4242.1";
  ended->state = ProcessState::kExitedClean;
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({ended, sample_process()})));
  EXPECT_EQ(series["liballoc_target_up"].size(), 1u);
  EXPECT_EQ(series["liballoc_target_up"][kId], 1);
}

TEST(MetricsCollector, equal_pids_in_two_namespaces_get_labels_of_their_own) {
  auto other = sample_process();
  other->identity.key = "liballoc.4242.1";
  other->identity.pid_namespace = 99;
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({other, sample_process()})));
  EXPECT_THAT(series["liballoc_target_up"],
              UnorderedElementsAre(std::pair("pid=4242@99;service=checkout;", 1.0),
                                   std::pair("pid=4242@4026531836;service=checkout;", 1.0)));
}

TEST(MetricsCollector, exports_at_most_the_limit_and_counts_the_rest) {
  std::vector<std::shared_ptr<const Snapshot>> processes;
  for (uint32_t pid = 1; pid <= 5; ++pid) {
    auto process = sample_process(pid);
    process->identity.start_time_unix_ns += pid * kSecond;
    if (pid == 1) process->state = ProcessState::kKilled;
    processes.push_back(process);
  }
  MetricsCollector collector(3);
  Series series = series_of(collector.collect(input_of(processes)));
  EXPECT_THAT(series["liballoc_target_up"],
              UnorderedElementsAre(std::pair("pid=2;service=checkout;", 1.0),
                                   std::pair("pid=3;service=checkout;", 1.0),
                                   std::pair("pid=4;service=checkout;", 1.0)));
  EXPECT_EQ(series["liballoc_agent_processes_omitted_total"][""], 2);
  series = series_of(collector.collect(input_of(processes)));
  EXPECT_EQ(series["liballoc_agent_processes_omitted_total"][""], 4) << "a counter";
}

TEST(MetricsCollector, exports_the_agent_without_any_process) {
  MetricsCollector collector(10);
  Series series = series_of(collector.collect(input_of({})));
  EXPECT_EQ(series["liballoc_agent_build_info"]["version=0.1.0;revision=abc;"], 1);
  EXPECT_EQ(series["liballoc_agent_segments_rejected_total"]["reason=bad_magic;"], 2);
  EXPECT_EQ(series["liballoc_agent_collections_total"][""], 11);
  EXPECT_EQ(series["liballoc_agent_collect_seconds_total"][""], 0.5);
  EXPECT_EQ(series["liballoc_agent_processes"]["state=running;"], 1);
  EXPECT_EQ(series["liballoc_agent_processes"]["state=exited;"], 2);
  EXPECT_EQ(series["liballoc_agent_http_requests_total"]["path=/metrics;code=200;"], 3);
  EXPECT_EQ(series["liballoc_agent_grpc_server_handled_total"]
                  ["grpc_service=a.v1.Stats;grpc_method=Get;grpc_code=OK;"],
            7);
}

TEST(MetricsCollector, a_clock_that_runs_backwards_gives_no_negative_age) {
  CollectorInput input = input_of({sample_process()});
  input.now_unix_ns = kSampleTime - kSecond;
  MetricsCollector collector(10);
  EXPECT_EQ(series_of(collector.collect(input))["liballoc_epoch_age_seconds"][kId], 0);
}

TEST(CgroupReader, reads_limits_usage_and_oom_kills) {
  CgroupTree tree;
  tree.write("a/b/memory.current", "4096\n");
  tree.write("a/b/memory.max", "max\n");
  tree.write("a/b/memory.high", "8192\n");
  tree.write("a/b/memory.events", "low 1\noom 7\noom_kill 3\n");
  const CgroupReader reader(tree.root());
  for (const char* path : {"/a/b", "0::/a/b", "/a//b/"}) {
    const CgroupMemory memory = reader.read(path);
    EXPECT_EQ(memory.current, 4096u) << path;
    EXPECT_EQ(memory.max, std::nullopt) << path;
    EXPECT_EQ(memory.high, 8192u) << path;
    EXPECT_EQ(memory.oom_kills, 3u) << path;
  }
}

TEST(CgroupReader, reads_nothing_outside_its_tree) {
  CgroupTree tree;
  tree.write("memory.current", "1\n");
  tree.write("inside/memory.current", "2\n");
  CgroupTree outside;
  outside.write("memory.current", "3\n");
  std::filesystem::create_directory_symlink(outside.root(), tree.root() + "/inside/link");
  std::filesystem::create_symlink(outside.root() + "/memory.current",
                                  tree.root() + "/inside/memory.high");
  const CgroupReader reader(tree.root() + "/inside");
  for (const char* path : {"/..", "/../inside", "/link", "/", "//", "", "inside", "0::/",
                           "/missing", "/memory.current"}) {
    EXPECT_TRUE(reader.read(path).empty()) << path;
  }
  const CgroupReader above(tree.root());
  EXPECT_EQ(above.read("/inside").current, 2u);
  EXPECT_EQ(above.read("/inside").high, std::nullopt) << "a symlink was followed";
}

TEST(ContainerId, is_the_last_run_of_64_hex_digits) {
  const std::string a(64, 'a');
  const std::string b(64, '0');
  EXPECT_EQ(container_id("/docker/" + a), a);
  EXPECT_EQ(container_id("/kubepods.slice/cri-containerd-" + b + ".scope"), b);
  EXPECT_EQ(container_id("/docker/" + a + "/docker/" + b + "/init"), b);
  EXPECT_EQ(container_id("/user.slice/user-1000.slice"), "");
  EXPECT_EQ(container_id("/x/" + a + "f"), "");
  EXPECT_EQ(container_id(""), "");
}

}  // namespace
}  // namespace liballoc::agent
