// pprof_test.cc - the pprof endpoints, with Go's own pprof as the judge of what they send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/agent/http/test_server.h"

namespace liballoc::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Pprof : public ::testing::Test {
 protected:
  Pprof() { server_.registry.publish(sample_process()); }

  Reply get(const std::string& target) { return server_.get(target); }

  void expect_error(const std::string& target, int status, const std::string& message) {
    const Reply reply = get(target);
    EXPECT_EQ(reply.status, status) << target;
    EXPECT_THAT(reply.body, HasSubstr(message)) << target;
    EXPECT_EQ(reply.header("x-go-pprof"), "1") << target;
    EXPECT_EQ(reply.header("content-type"), "text/plain; charset=utf-8") << target;
  }

  // Output of `go tool pprof`, which keeps copies of what it fetches in a directory of its own.
  std::string go_pprof(const std::string& arguments, int expected_status = 0) {
    std::string home = "/tmp/liballoc-pprof-XXXXXX";
    if (mkdtemp(home.data()) == nullptr) return "no directory";
    const auto [status, output] = run_command("HOME=" + home + " PPROF_TMPDIR=" + home +
                                              " go tool pprof -symbolize=remote " + arguments);
    std::filesystem::remove_all(home);
    EXPECT_EQ(status == 0, expected_status == 0) << output;
    return output;
  }

  TestServer server_;
};

TEST_F(Pprof, heap_is_a_gzip_file_to_save) {
  const Reply reply = get("/debug/pprof/heap?pid=4242");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("content-type"), "application/octet-stream");
  EXPECT_EQ(reply.header("content-disposition"), "attachment; filename=\"heap\"");
  EXPECT_EQ(reply.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(reply.header("content-encoding"), "") << "gzip is part of the format";
  EXPECT_EQ(reply.header("x-go-pprof"), "");
  EXPECT_THAT(gunzip(reply.body), AllOf(HasSubstr("inuse_space"), HasSubstr("load_catalogue")));
  EXPECT_EQ(get("/debug/pprof/allocs?pid=4242").header("content-disposition"),
            "attachment; filename=\"allocs\"");
}

TEST_F(Pprof, go_reads_a_heap_profile_with_names) {
  const std::string output =
      go_pprof("-top http://" + server_.address() + "/debug/pprof/heap?pid=4242");
  EXPECT_THAT(output, HasSubstr("Type: inuse_space"));
  EXPECT_THAT(output, ::testing::ContainsRegex("3MB +100%.* load_catalogue"));
  EXPECT_THAT(output, HasSubstr("serve_request"));
}

TEST_F(Pprof, go_reads_an_allocs_profile_of_one_process_among_many) {
  server_.registry.publish(sample_process(1));
  const std::string output = go_pprof("-top -sample_index=alloc_space http://" + server_.address() +
                                      "/processes/4242/debug/pprof/allocs");
  EXPECT_THAT(output, HasSubstr("Type: alloc_space"));
  EXPECT_THAT(output, ::testing::ContainsRegex("2MB .* render_page"));
}

TEST_F(Pprof, go_names_an_unsymbolized_profile_by_asking_back) {
  server_.registry.publish(sample_process(1));
  const std::string output =
      go_pprof("-top http://" + server_.address() + "/processes/4242/debug/pprof/heap?symbolize=0");
  EXPECT_THAT(output, HasSubstr("load_catalogue"));
  EXPECT_THAT(gunzip(get("/processes/4242/debug/pprof/heap?symbolize=0").body),
              Not(HasSubstr("load_catalogue")));
}

TEST_F(Pprof, go_prints_our_error_messages) {
  EXPECT_THAT(go_pprof("-top http://" + server_.address() + "/debug/pprof/heap?pid=99", 1),
              HasSubstr("no process with pid 99"));
}

TEST_F(Pprof, debug_gives_text) {
  const Reply reply = get("/debug/pprof/heap?debug=1");
  EXPECT_THAT(reply.header("content-type"), HasSubstr("text/plain"));
  EXPECT_EQ(reply.header("content-disposition"), "");
  EXPECT_THAT(reply.body, ::testing::StartsWith("heap profile: 3: "));
}

TEST_F(Pprof, the_only_running_process_need_not_be_named) {
  auto ended = sample_process(5, "ended");
  ended->state = ProcessState::kKilled;
  server_.registry.publish(ended);
  EXPECT_EQ(get("/debug/pprof/heap").status, 200);
  server_.registry.publish(sample_process(6, "cart"));
  expect_error("/debug/pprof/heap", 400, "6 (cart), 4242 (checkout)");
  EXPECT_THAT(get("/debug/pprof/heap").body, Not(HasSubstr("ended")));
}

TEST_F(Pprof, an_ended_process_still_has_its_last_profile) {
  auto ended = sample_process(5, "ended");
  ended->state = ProcessState::kKilled;
  server_.registry.publish(ended);
  EXPECT_EQ(get("/debug/pprof/heap?pid=5").status, 200);
  EXPECT_TRUE(server_.refreshed().empty());
  expect_error("/debug/pprof/heap?pid=5&seconds=1", 400, "has ended");
}

TEST_F(Pprof, a_process_can_be_named_by_its_segment) {
  EXPECT_EQ(get("/processes/liballoc.4242.777/debug/pprof/heap").status, 200);
  EXPECT_EQ(get("/debug/pprof/heap?pid=liballoc.4242.777").status, 200);
  auto other = sample_process();
  other->identity.key = "liballoc.4242.778";
  other->identity.pid_namespace = 1;
  server_.registry.publish(other);
  expect_error("/debug/pprof/heap?pid=4242", 400,
               "liballoc.4242.777 (checkout), liballoc.4242.778 (checkout)");
  // As the label pid of the metrics tells the two apart.
  get("/debug/pprof/heap?pid=4242@1");
  EXPECT_EQ(server_.refreshed().back(), "liballoc.4242.778");
  expect_error("/debug/pprof/heap?pid=4242@2", 400, "invalid pid \"4242@2\"");
}

TEST_F(Pprof, asks_for_fresh_figures_of_that_process) {
  get("/debug/pprof/heap?gc=1");
  EXPECT_THAT(server_.refreshed(), ElementsAre("liballoc.4242.777"));
}

TEST_F(Pprof, names_the_wrong_value_and_what_is_allowed) {
  const std::string heap = "/debug/pprof/heap?";
  expect_error(heap + "pid=99", 404, "no process with pid 99 is known; running: 4242 (checkout)");
  expect_error(heap + "pid=abc", 400, "invalid pid \"abc\"");
  expect_error(heap + "pid=-1", 400, "invalid pid \"-1\"");
  expect_error(heap + "pid=4294971538", 400, "invalid pid");  // 4242 + 2^32
  expect_error(heap + "pid=liballoc.1.1", 404, "no process with segment \"liballoc.1.1\"");
  expect_error("/processes/4242/debug/pprof/heap?pid=1", 400, "the path says");
  for (const char* seconds : {"0", "-1", "NaN", "1.5", "", "3601", "1e3", "99999999999999999999"}) {
    expect_error(heap + "seconds=" + seconds, 400,
                 "\"" + std::string(seconds) + "\" for seconds: it must be a positive integer");
  }
  expect_error(heap + "seconds=1&debug=1", 400, "seconds and debug params are incompatible");
  expect_error(heap + "debug=2", 400, "invalid value \"2\" for debug: allowed are 0 and 1");
  expect_error(heap + "symbolize=no", 400, "invalid value \"no\" for symbolize");
  expect_error(heap + "gc=yes", 400, "invalid value \"yes\" for gc");
}

TEST_F(Pprof, unknown_profiles_are_404) {
  for (const char* name : {"profile", "trace", "goroutine", "block", "mutex", "threadcreate",
                           "delta_heap", "nonsense", "heap/"}) {
    expect_error(std::string("/debug/pprof/") + name, 404, "Unknown profile");
    expect_error(std::string("/processes/1/debug/pprof/") + name, 404, "Unknown profile");
  }
}

TEST_F(Pprof, seconds_gives_what_changed_meanwhile) {
  // The second refresh of this process, the one at the end, brings four more objects of
  // render_page.
  server_.set_on_refresh([&] {
    if (server_.refreshed().size() < 2) return;
    auto after = sample_process();
    after->time_unix_ns += kSecond;
    after->buckets[1].allocs += 4;
    after->buckets[1].alloc_requested += 4 * 1048576;
    server_.registry.publish(after);
  });
  const std::string output =
      go_pprof("-top http://" + server_.address() + "/debug/pprof/heap?seconds=1");
  EXPECT_THAT(output, ::testing::ContainsRegex("4MB +100%.* render_page"));
  EXPECT_THAT(output, Not(HasSubstr("load_catalogue")));
}

TEST_F(Pprof, a_delta_is_named_so) {
  EXPECT_EQ(get("/debug/pprof/heap?seconds=1&debug=0").header("content-disposition"),
            "attachment; filename=\"heap-delta\"");
}

TEST_F(Pprof, a_delta_of_a_process_that_is_forgotten_meanwhile_is_404) {
  server_.set_on_refresh([&] {
    if (server_.refreshed().size() == 2) server_.registry.remove("liballoc.4242.777");
  });
  expect_error("/debug/pprof/heap?seconds=1", 404, "not retained");
}

TEST_F(Pprof, a_delta_across_an_exec_is_409) {
  server_.set_on_refresh([&] {
    if (server_.refreshed().size() != 2) return;
    auto other_image = std::make_shared<Snapshot>(*server_.registry.find_key("liballoc.4242.777"));
    other_image->identity.created_monotonic_ns += 1;
    server_.registry.publish(other_image);
  });
  expect_error("/debug/pprof/heap?seconds=1", 409, "replaced by another program");
}

TEST_F(Pprof, a_delta_ends_when_its_client_leaves) {
  HttpClient client(server_.address());
  client.send("GET /debug/pprof/heap?seconds=3600 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server_.refreshed().size() == 1; }));
  client.close();
  EXPECT_TRUE(eventually([&] {
    return get("/metrics").body.find("path=\"/debug/pprof/heap\",code=\"499\"} 1\n") !=
           std::string::npos;
  }));
}

TEST(PprofLimits, so_many_deltas_wait_and_no_more) {
  HttpOptions options;
  options.max_waiting_deltas = 1;
  TestServer server(options);
  server.registry.publish(sample_process());
  {
    HttpClient one(server.address());
    HttpClient other(server.address());
    for (HttpClient* client : {&one, &other}) {
      client->send("GET /debug/pprof/heap?seconds=3600 HTTP/1.1\r\n\r\n");
    }
    // Whichever came second is refused.
    const std::string refused = "path=\"/debug/pprof/heap\",code=\"503\"} 1\n";
    ASSERT_TRUE(
        eventually([&] { return server.get("/metrics").body.find(refused) != std::string::npos; }));
    EXPECT_THAT(server.get("/debug/pprof/heap?seconds=1").body, HasSubstr("at most 1 may"));
  }
  EXPECT_TRUE(eventually([&] { return server.get("/debug/pprof/heap?seconds=1").status == 200; }));
}

TEST_F(Pprof, cmdline_has_zero_bytes_between_words) {
  const Reply reply = get("/debug/pprof/cmdline");
  EXPECT_EQ(reply.body, std::string("/usr/bin/checkout\0--port\0"
                                    "80 80",
                                    30));
  EXPECT_EQ(reply.header("content-type"), "text/plain; charset=utf-8");
}

TEST_F(Pprof, symbol_names_addresses_from_the_query_or_the_body) {
  const std::string expected = "num_symbols: 1\n0x40100f load_catalogue\n0x40101f serve_request\n";
  EXPECT_EQ(get("/debug/pprof/symbol").body, "num_symbols: 1\n");
  EXPECT_EQ(get("/debug/pprof/symbol?0x40100f+0x40101f").body, expected);
  EXPECT_EQ(get("/debug/pprof/symbol?pid=4242&0x40100f+0x40101f").body, expected);
  HttpClient client(server_.address());
  EXPECT_EQ(
      client.request("POST", "/processes/4242/debug/pprof/symbol", "", "0x40100f+0x40101f+0x10+0x0")
          .body,
      expected)
      << "what has no name is left out";
  expect_error("/debug/pprof/symbol?0x401010+12", 400, "invalid address \"12\"");
  expect_error("/debug/pprof/symbol?0x", 400, "invalid address \"0x\"");
  expect_error("/debug/pprof/symbol?0x11111111111111111", 400, "invalid address");
}

TEST_F(Pprof, index_links_to_the_profiles) {
  for (const char* path :
       {"/debug/pprof/", "/debug/pprof/?pid=4242", "/processes/4242/debug/pprof/"}) {
    const Reply reply = get(path);
    EXPECT_EQ(reply.status, 200) << path;
    EXPECT_THAT(reply.body, HasSubstr("checkout (pid 4242)")) << path;
    EXPECT_THAT(reply.body,
                HasSubstr("href=\"/processes/liballoc.4242.777/debug/pprof/heap?debug=1\""))
        << path;
  }
  EXPECT_EQ(get("/debug/pprof").header("location"), "pprof/");
  EXPECT_EQ(get("/processes/4242/debug/pprof?a=b").header("location"), "pprof/?a=b");
  server_.registry.publish(sample_process(1));
  EXPECT_THAT(get("/debug/pprof/").body, HasSubstr("<th>pid</th>")) << "a choice of processes";
  expect_error("/processes/99/debug/pprof/", 404, "no process with pid 99");
}

}  // namespace
}  // namespace liballoc::agent
