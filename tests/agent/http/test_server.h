// test_server.h - a real HttpServer on a free loopback port, over a registry that the test fills by
// hand.
#pragma once

#include <gtest/gtest.h>
#include <stdio.h>
#include <zlib.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/http/server.h"
#include "tests/agent/http/http_client.h"
#include "tests/agent/metrics/sample_process.h"

namespace liballoc::agent {

// Names every address of the sample process.
class FakeSymbols : public SymbolSource {
 public:
  std::vector<SourceFrame> lookup(const Module& module, uint64_t address) override {
    if (address < module.start || address >= module.end) return {};
    SourceFrame frame;
    frame.function = address == 0x40100f   ? "load_catalogue"
                     : address == 0x40102f ? "render_page"
                                           : "serve_request";
    frame.file = "shop.cc";
    frame.line = 7;
    return {frame};
  }
};

class TestServer {
 public:
  explicit TestServer(HttpOptions options = {}) {
    if (options.listen == HttpOptions().listen) options.listen = "127.0.0.1:0";
    HttpContext context;
    context.registry = &registry;
    context.symbols = &symbols;
    context.agent_stats = [this] {
      const std::lock_guard lock(mutex_);
      return stats_;
    };
    context.refresh = [this](const std::string& key, std::chrono::milliseconds deadline) {
      std::function<void()> action;
      {
        const std::lock_guard lock(mutex_);
        refreshed_.push_back(key);
        deadlines_.push_back(deadline);
        action = on_refresh_;
      }
      if (action) action();
      return true;
    };
    stats_.version = "0.1.0";
    stats_.collections = 1;
    stats_.segments_rejected = {{"bad_magic", 1}};
    stats_.grpc_handled = {{"/a.v1.Stats/Get", "OK", 1}};
    server = std::make_unique<HttpServer>(options, context);
    const std::optional<std::string> error = server->start();
    EXPECT_FALSE(error.has_value()) << error.value_or("");
  }

  std::string address() const { return server->address(); }
  Reply get(const std::string& target, const std::string& headers = "") const {
    return HttpClient(address()).get(target, headers);
  }

  void set_stats(const AgentStats& stats) {
    const std::lock_guard lock(mutex_);
    stats_ = stats;
  }
  // Runs at each further refresh, on the worker that asked for it.
  void set_on_refresh(std::function<void()> action) {
    const std::lock_guard lock(mutex_);
    on_refresh_ = std::move(action);
  }
  std::vector<std::string> refreshed() const {
    const std::lock_guard lock(mutex_);
    return refreshed_;
  }
  std::vector<std::chrono::milliseconds> deadlines() const {
    const std::lock_guard lock(mutex_);
    return deadlines_;
  }

  Registry registry;
  FakeSymbols symbols;

 private:
  mutable std::mutex mutex_;  // guards what follows, up to server
  AgentStats stats_;
  std::function<void()> on_refresh_;
  std::vector<std::string> refreshed_;
  std::vector<std::chrono::milliseconds> deadlines_;

 public:
  std::unique_ptr<HttpServer> server;  // last: ends before what it uses
};

// Polls until `done` holds; false when it does not within half a minute.
inline bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 3000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// The content of a gzip file; empty when it is none.
inline std::string gunzip(const std::string& bytes) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string input = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  std::string out;
  char buffer[4096];
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END ? out : "";
}

// Exit status and output, standard error included, of a shell command.
inline std::pair<int, std::string> run_command(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, n);
  return {pclose(pipe), output};
}

}  // namespace liballoc::agent
