// main.cc - alloc-agent: options in, exit status out. Must never hold logic of its own.
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "agent/daemon/app.h"
#include "agent/daemon/config.h"

int main(int argc, char** argv) {
  using liballoc::agent::AgentConfig;
  using liballoc::agent::ConfigExit;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto parsed = liballoc::agent::parse_config(arguments);
  if (const auto* over = std::get_if<ConfigExit>(&parsed)) {
    std::fputs(over->text.c_str(), over->status == 0 ? stdout : stderr);
    return over->status;
  }
  return liballoc::agent::run_agent(std::get<AgentConfig>(parsed));
}
