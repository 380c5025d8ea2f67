// main.cc - allocctl: options in, exit status out. Must never hold logic of its own.
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include "agent/cli/commands.h"
#include "agent/cli/options.h"

int main(int argc, char** argv) {
  using liballoc::agent::CliOptions;
  using liballoc::agent::CliOver;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto parsed = liballoc::agent::parse_cli(arguments);
  if (const auto* over = std::get_if<CliOver>(&parsed)) {
    (over->status == liballoc::agent::kCliOk ? std::cout : std::cerr) << over->text;
    return over->status;
  }
  return liballoc::agent::run_cli(std::get<CliOptions>(parsed), std::cout, std::cerr);
}
