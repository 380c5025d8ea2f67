// server_test.cc - the transport: connections, limits, rude clients, listening and stopping. Real
// sockets only.
#include "agent/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>

#include "tests/agent/http/test_server.h"

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = "/tmp/liballoc-http-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::optional<std::string> start_error(const std::string& listen) {
  Registry registry;
  HttpOptions options;
  options.listen = listen;
  HttpContext context;
  context.registry = &registry;
  return HttpServer(options, context).start();
}

TEST(HttpServer, serves_many_requests_on_one_connection) {
  TestServer server;
  HttpClient client(server.address());
  for (int i = 0; i < 3; ++i) {
    const Reply reply = client.get("/healthz");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "ok\n");
    EXPECT_EQ(reply.header("x-content-type-options"), "nosniff");
    EXPECT_NE(reply.header("date"), "");
  }
}

TEST(HttpServer, answers_pipelined_requests_in_order) {
  TestServer server;
  HttpClient client(server.address());
  client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(client.receive().status, 404);
}

TEST(HttpServer, closes_when_the_client_asks_for_it) {
  TestServer server;
  HttpClient client(server.address());
  EXPECT_EQ(client.get("/healthz", "Connection: close\r\n").header("connection"), "close");
  EXPECT_TRUE(client.at_end());
  HttpClient old(server.address());
  old.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().status, 200);
  EXPECT_TRUE(old.at_end());
}

TEST(HttpServer, head_gives_the_header_of_get_without_a_body) {
  TestServer server;
  HttpClient client(server.address());
  const Reply head = client.request("HEAD", "/healthz");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "3");
  EXPECT_EQ(client.get("/healthz").body, "ok\n") << "the connection is still in step";
}

TEST(HttpServer, half_open_clients_block_nobody) {
  TestServer server;
  std::vector<std::unique_ptr<HttpClient>> rude;
  for (int i = 0; i < 20; ++i) {
    rude.push_back(std::make_unique<HttpClient>(server.address()));
    rude.back()->send("GET /metrics HTTP/1.1\r\nHo");
  }
  EXPECT_EQ(server.get("/metrics").status, 200);
}

TEST(HttpServer, drops_clients_that_do_not_finish_their_request) {
  HttpOptions options;
  options.header_timeout = milliseconds(50);
  TestServer server(options);
  HttpClient silent(server.address());
  HttpClient slow(server.address());
  slow.send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(slow.at_end());
}

TEST(HttpServer, refuses_oversized_headers) {
  TestServer server;
  HttpClient client(server.address());
  const Reply reply = client.get("/healthz", "X-Long: " + std::string(20000, 'x') + "\r\n");
  EXPECT_EQ(reply.status, 431);
  EXPECT_THAT(reply.body, HasSubstr("16384"));
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, refuses_headers_that_never_end) {
  TestServer server;
  HttpClient client(server.address());
  client.send("GET /" + std::string(200000, 'a'));
  EXPECT_EQ(client.receive().status, 431);
}

TEST(HttpServer, refuses_oversized_bodies) {
  HttpOptions options;
  options.max_body_bytes = 1000;
  TestServer server(options);
  HttpClient client(server.address());
  const Reply reply = client.request("POST", "/debug/pprof/symbol", "", std::string(2000, '0'));
  EXPECT_EQ(reply.status, 413);
  EXPECT_THAT(reply.body, HasSubstr("1000"));
  HttpClient chunked(server.address());
  chunked.send("POST /debug/pprof/symbol HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, '0') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 413);
}

TEST(HttpServer, answers_garbage_with_400) {
  TestServer server;
  for (const char* garbage :
       {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", "hello\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"}) {
    HttpClient client(server.address());
    client.send(garbage);
    EXPECT_EQ(client.receive().status, 400) << garbage;
    EXPECT_TRUE(client.at_end()) << garbage;
  }
  EXPECT_EQ(server.get("/healthz").status, 200);
}

TEST(HttpServer, tells_a_client_that_waits_to_go_on_with_its_body) {
  TestServer server;
  server.registry.publish(sample_process());
  HttpClient client(server.address());
  client.send(
      "POST /debug/pprof/symbol HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send("0x40100f");
  EXPECT_THAT(client.receive().body, HasSubstr("load_catalogue"));
}

TEST(HttpServer, refuses_connections_beyond_the_limit_and_serves_again_after) {
  HttpOptions options;
  options.max_connections = 2;
  TestServer server(options);
  auto first = std::make_unique<HttpClient>(server.address());
  HttpClient second(server.address());
  EXPECT_EQ(first->get("/healthz").status, 200);
  EXPECT_EQ(second.get("/healthz").status, 200);
  HttpClient third(server.address());
  const Reply reply = third.receive();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "too many connections\n");
  first.reset();
  EXPECT_TRUE(eventually([&] {
    HttpClient later(server.address());
    later.send("GET /healthz HTTP/1.1\r\n\r\n");
    return later.receive().status == 200;
  }));
}

TEST(HttpServer, a_client_that_does_not_read_is_dropped) {
  HttpOptions options;
  options.write_timeout = milliseconds(50);
  options.max_connections = 1;
  TestServer server(options);
  for (uint32_t pid = 1; pid <= 200; ++pid) server.registry.publish(sample_process(pid));
  HttpClient stuck(server.address());
  for (int i = 0; i < 200; ++i) stuck.send("GET /metrics HTTP/1.1\r\n\r\n");  // replies of 1 MB
  EXPECT_TRUE(eventually([&] {
    HttpClient other(server.address());
    other.send("GET /healthz HTTP/1.1\r\n\r\n");
    return other.receive().status == 200;
  }));
}

TEST(HttpServer, a_slow_collection_delays_neither_health_checks_nor_profiles) {
  TestServer server;
  server.registry.publish(sample_process());
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> waiting{0};
  server.set_on_refresh([&, released] {
    if (waiting.fetch_add(1) == 0) released.wait();
  });
  HttpClient scraper(server.address());
  scraper.send("GET /metrics HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return waiting.load() == 1; }));
  EXPECT_EQ(server.get("/healthz").status, 200);
  EXPECT_EQ(server.get("/debug/pprof/heap").status, 200);
  EXPECT_EQ(server.get("/metrics").status, 200);
  release.set_value();
  EXPECT_EQ(scraper.receive().status, 200);
}

TEST(HttpServer, an_exception_in_a_reply_is_a_500_and_the_server_goes_on) {
  TestServer server;
  server.set_on_refresh([] { throw std::runtime_error("no more"); });
  const Reply reply = server.get("/metrics");
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.body, HasSubstr("no more"));
  server.set_on_refresh({});
  EXPECT_EQ(server.get("/metrics").status, 200);
}

TEST(HttpServerListen, reports_the_port_it_got_and_refuses_a_taken_one) {
  TestServer server;
  EXPECT_THAT(server.address(), ::testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  const auto error = start_error(server.address());
  ASSERT_TRUE(error.has_value());
  EXPECT_THAT(*error, HasSubstr(server.address()));
  EXPECT_THAT(*error, HasSubstr("in use"));
}

TEST(HttpServerListen, names_what_is_wrong_with_an_address) {
  for (const char* bad : {"", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536",
                          "127.0.0.1:-1", ":9890", "::1:80", "unix:"}) {
    const auto error = start_error(bad);
    ASSERT_TRUE(error.has_value()) << bad;
    EXPECT_THAT(*error, HasSubstr(std::string(bad).substr(0, 9)));
  }
  EXPECT_THAT(*start_error("unix:/no/such/dir/s"), HasSubstr("/no/such/dir/s"));
  EXPECT_THAT(*start_error("unix:/" + std::string(200, 'x')), HasSubstr("longer than 107"));
}

TEST(HttpServerListen, needs_a_registry_and_starts_once) {
  EXPECT_EQ(HttpServer(HttpOptions(), HttpContext()).start(), "the HTTP server needs a registry");
  TestServer server;
  EXPECT_TRUE(server.server->start().has_value());
}

TEST(HttpServerListen, serves_on_a_unix_socket_of_mode_0600_and_removes_it) {
  const TemporaryDirectory directory;
  const std::string path = directory / "http.sock";
  HttpOptions options;
  options.listen = "unix:" + path;
  {
    TestServer server(options);
    EXPECT_EQ(server.address(), "unix:" + path);
    EXPECT_EQ(server.get("/healthz").status, 200);
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(HttpServerListen, never_steals_a_unix_socket_that_is_served) {
  const TemporaryDirectory directory;
  HttpOptions options;
  options.listen = "unix:" + (directory / "http.sock");
  TestServer server(options);
  const auto error = start_error(options.listen);
  ASSERT_TRUE(error.has_value());
  EXPECT_THAT(*error, HasSubstr("served by another process"));
  EXPECT_EQ(server.get("/healthz").status, 200);
}

TEST(HttpServerListen, replaces_a_socket_that_a_killed_server_left_but_no_other_file) {
  const TemporaryDirectory directory;
  const std::string path = directory / "http.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path));
  HttpOptions options;
  options.listen = "unix:" + path;
  EXPECT_EQ(TestServer(options).get("/healthz").status, 200);

  const std::string file = directory / "file";
  fclose(fopen(file.c_str(), "w"));
  const auto error = start_error("unix:" + file);
  ASSERT_TRUE(error.has_value());
  EXPECT_THAT(*error, HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST(HttpServerStop, ends_idle_connections_and_refuses_new_ones) {
  TestServer server;
  const std::string address = server.address();
  HttpClient idle(address);
  EXPECT_EQ(idle.get("/healthz").status, 200);
  HttpClient half(address);
  half.send("GET / HT");
  server.server->stop();
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(half.at_end());
  EXPECT_THROW(HttpClient{address}, std::runtime_error);
  server.server->stop();
}

TEST(HttpServerStop, lets_a_reply_under_way_finish) {
  TestServer server;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<bool> entered{false};
  server.set_on_refresh([&, released] {
    entered = true;
    released.wait();
  });
  HttpClient client(server.address());
  client.send("GET /metrics HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return entered.load(); }));
  auto stopped = std::async(std::launch::async, [&] { server.server->stop(); });
  release.set_value();
  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 200);
  stopped.get();
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServerStop, ends_a_waiting_delta_with_503) {
  TestServer server;
  server.registry.publish(sample_process());
  HttpClient client(server.address());
  client.send("GET /debug/pprof/heap?seconds=3600 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.refreshed().size() == 1; }));
  server.server->stop();
  const Reply reply = client.receive();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body, "the agent is shutting down\n");
}

TEST(HttpServerStop, drops_a_client_that_does_not_read_after_the_grace) {
  HttpOptions options;
  options.stop_grace = milliseconds(50);
  TestServer server(options);
  for (uint32_t pid = 1; pid <= 200; ++pid) server.registry.publish(sample_process(pid));
  HttpClient stuck(server.address());
  for (int i = 0; i < 200; ++i) stuck.send("GET /metrics HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.refreshed().size() > 1; }));
  server.server->stop();  // returns: the test's time limit is the check
}

}  // namespace
}  // namespace liballoc::agent
