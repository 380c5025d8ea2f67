// routes_test.cc - pages, health and metrics as clients see them, through a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "agent/http/pages.h"
#include "agent/http/url.h"
#include "agent/metrics/catalog.h"
#include "tests/agent/http/test_server.h"

namespace liballoc::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::set<std::string> metric_names(const std::string& text) {
  std::set<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find_first_of("{ ")));
  }
  return names;
}

TEST(Url, splits_and_decodes) {
  const auto url = parse_url("/a%2fb/c+d?x=1&y=a+b%26c&flag&x=2&=z");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->path, "/a/b/c+d");
  EXPECT_EQ(url->raw_query, "x=1&y=a+b%26c&flag&x=2&=z");
  EXPECT_EQ(url->parameter("x"), "1");
  EXPECT_EQ(url->parameter("y"), "a b&c");
  EXPECT_EQ(url->parameter("flag"), "");
  EXPECT_EQ(url->parameter("none"), std::nullopt);
  EXPECT_EQ(parse_url("http://host:1/p?q=1")->path, "/p");
  EXPECT_EQ(parse_url("http://host")->path, "/");
  for (const char* bad : {"", "*", "a", "/%", "/%2", "/%zz", "/?x=%f", "/?%q=1"}) {
    EXPECT_FALSE(parse_url(bad).has_value()) << bad;
  }
}

TEST(Metrics, are_text_by_default_and_pass_promtool) {
  TestServer server;
  server.registry.publish(sample_process());
  server.get("/metrics");  // so that there is a request to count
  const Reply reply = server.get("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(reply.header("content-encoding"), "");
  EXPECT_THAT(reply.body,
              HasSubstr("liballoc_memstats_heap_alloc_bytes{pid=\"4242\",service=\"checkout\"}"));
  EXPECT_THAT(reply.body,
              HasSubstr("liballoc_agent_http_requests_total{path=\"/metrics\",code=\"200\"} 1\n"));
  const auto [status, output] = run_command("curl -sS --max-time 60 http://" + server.address() +
                                            "/metrics | promtool check metrics");
  EXPECT_EQ(status, 0) << output;
  EXPECT_EQ(output, "");
}

TEST(Metrics, contain_every_name_of_the_catalog_that_applies_and_no_other) {
  TestServer server;
  server.registry.publish(sample_process());
  server.get("/metrics");
  const std::set<std::string> names = metric_names(server.get("/metrics").body);
  std::set<std::string> expected;
  for (const MetricInfo& info : kCatalog) {
    // The sample process has no control group; collector_test.cc covers it.
    if (!info.name.starts_with("liballoc_cgroup_")) expected.insert(std::string(info.name));
  }
  EXPECT_EQ(names, expected);
}

TEST(Metrics, come_as_openmetrics_when_asked) {
  TestServer server;
  server.registry.publish(sample_process());
  const Reply reply = server.get("/metrics",
                                 "Accept: application/openmetrics-text;version=1.0.0,"
                                 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n");
  EXPECT_EQ(reply.header("content-type"),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(reply.body.ends_with("# EOF\n"));
  EXPECT_THAT(reply.body, HasSubstr("# TYPE liballoc_memstats_mallocs counter\n"));
}

TEST(Metrics, are_compressed_when_asked) {
  TestServer server;
  const Reply plain = server.get("/metrics");
  const Reply packed = server.get("/metrics", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.header("content-encoding"), "gzip");
  EXPECT_LT(packed.body.size(), plain.body.size());
  EXPECT_EQ(metric_names(gunzip(packed.body)), [&] {
    std::set<std::string> names = metric_names(plain.body);
    names.insert("liballoc_agent_http_requests_total");  // the first scrape
    return names;
  }());
}

TEST(Metrics, ask_for_fresh_figures_within_the_scrapers_patience) {
  TestServer server;
  server.get("/metrics");
  server.get("/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.5\r\n");
  server.get("/metrics", "X-Prometheus-Scrape-Timeout-Seconds: soon\r\n");
  EXPECT_THAT(server.refreshed(), ElementsAre("", "", ""));
  using std::chrono::milliseconds;
  EXPECT_THAT(server.deadlines(),
              ElementsAre(milliseconds(2000), milliseconds(250), milliseconds(2000)));
}

TEST(Metrics, show_what_the_refresh_brought) {
  TestServer server;
  server.set_on_refresh([&] { server.registry.publish(sample_process(77, "late")); });
  EXPECT_THAT(server.get("/metrics").body,
              HasSubstr("liballoc_target_up{pid=\"77\",service=\"late\"} 1"));
}

TEST(Metrics, count_requests_by_route_and_never_by_raw_path) {
  TestServer server;
  server.registry.publish(sample_process());
  server.get("/no/such/path");
  server.get("/processes/4242/debug/pprof/heap");
  server.get("/processes/liballoc.4242.777/debug/pprof/heap");
  HttpClient bad(server.address());
  bad.send("hello\r\n\r\n");
  bad.receive();
  const std::string body = server.get("/metrics").body;
  const std::string prefix = "liballoc_agent_http_requests_total{path=";
  EXPECT_THAT(body, HasSubstr(prefix + "\"other\",code=\"404\"} 1\n"));
  EXPECT_THAT(body, HasSubstr(prefix + "\"other\",code=\"400\"} 1\n"));
  EXPECT_THAT(body, HasSubstr(prefix + "\"/processes/{pid}/debug/pprof/heap\",code=\"200\"} 2\n"));
  EXPECT_THAT(body, Not(HasSubstr("such")));
}

TEST(Health, is_always_well_but_ready_only_after_a_collection) {
  TestServer server;
  AgentStats none;
  server.set_stats(none);
  EXPECT_EQ(server.get("/healthz").status, 200);
  EXPECT_EQ(server.get("/readyz").status, 503);
  none.collections = 1;
  server.set_stats(none);
  EXPECT_EQ(server.get("/readyz").status, 200);
}

TEST(Routes, refuse_other_methods_and_name_the_allowed_ones) {
  TestServer server;
  HttpClient client(server.address());
  for (const char* path : {"/metrics", "/", "/healthz", "/debug/pprof/heap", "/debug/pprof/"}) {
    const Reply reply = client.request("POST", path, "", "x");
    EXPECT_EQ(reply.status, 405) << path;
    EXPECT_EQ(reply.header("allow"), "GET, HEAD") << path;
  }
  EXPECT_EQ(client.request("DELETE", "/debug/pprof/symbol").header("allow"), "GET, HEAD, POST");
  EXPECT_EQ(client.request("BREW", "/metrics").status, 405);
}

TEST(Routes, answer_404_and_400_to_what_is_not_there) {
  TestServer server;
  HttpClient client(server.address());
  for (const char* path :
       {"/nothing", "/metrics/", "/sd/prometheus", "/api/v1", "/processes/1", "/processes//metrics",
        "/processes/1/metrics", "/processes/1/", "/debug", "/debug/pprofs"}) {
    EXPECT_EQ(client.get(path).status, 404) << path;
  }
  EXPECT_EQ(client.get("/%zz").status, 400);
  EXPECT_EQ(client.request("OPTIONS", "*").status, 400);
}

TEST(IndexPage, lists_processes_and_escapes_what_they_say_of_themselves) {
  TestServer server;
  EXPECT_THAT(server.get("/").body, HasSubstr("No process"));
  server.registry.publish(sample_process(7, "<script>alert('&\"')</script>"));
  auto killed = sample_process(8);
  killed->state = ProcessState::kKilled;
  server.registry.publish(killed);
  const Reply reply = server.get("/");
  EXPECT_EQ(reply.header("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(reply.header("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(reply.body, HasSubstr("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"));
  EXPECT_THAT(reply.body, Not(HasSubstr("<script")));
  EXPECT_THAT(reply.body, HasSubstr("<td>killed</td>"));
  EXPECT_THAT(reply.body, HasSubstr("href=\"/processes/liballoc.7.777/debug/pprof/\""));
  EXPECT_EQ(server.get("/processes/liballoc.7.777/debug/pprof/").status, 200);
  auto replaced = sample_process(9);
  replaced->identity.key += "#1";  // a browser would keep what is behind it to itself
  server.registry.publish(replaced);
  const std::string link = "/processes/" + sample_process(9)->identity.key + "%231/debug/pprof/";
  EXPECT_THAT(server.get("/").body, HasSubstr("href=\"" + link + "\""));
  EXPECT_THAT(server.get(link).body, HasSubstr("href=\"" + link + "heap\""));
}

}  // namespace
}  // namespace liballoc::agent
