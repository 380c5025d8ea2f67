// compile_me.cc - a source that makes a compiler work: templates of the standard library and some of its own.
// scripts/bench compiles it under each allocator; it is never run.

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

template <int kDepth, typename... Ts>
struct Chain : Chain<kDepth - 1, std::tuple<Ts...>, Ts...> {};
template <typename... Ts>
struct Chain<0, Ts...> {
  std::tuple<Ts...> value;
};

template <typename T, std::size_t... kIndexes>
std::string describe(const T& tuple, std::index_sequence<kIndexes...>) {
  std::string text;
  ((text += std::to_string(sizeof(std::get<kIndexes>(tuple))) + ","), ...);
  return text;
}

struct Visitor {
  std::string operator()(int n) const { return std::to_string(n); }
  std::string operator()(const std::string& text) const { return std::regex_replace(text, std::regex("[a-z]+"), "$&$&"); }
  std::string operator()(const std::vector<double>& v) const {
    std::vector<double> sorted(v);
    std::stable_sort(sorted.begin(), sorted.end(), std::greater<>());
    return sorted.empty() ? "" : std::to_string(sorted.front());
  }
};

}  // namespace

int main() {
  std::map<std::string, std::function<std::string(int)>> table;
  std::unordered_map<int, std::set<std::string>> groups;
  std::mt19937_64 random(1);
  table["chain"] = [](int n) {
    Chain<5, int, double, char> chain;
    return describe(chain.value, std::make_index_sequence<std::tuple_size_v<decltype(chain.value)>>()) + std::to_string(n);
  };
  table["visit"] = [](int n) {
    std::variant<int, std::string, std::vector<double>> value = n % 2 == 0 ? std::variant<int, std::string, std::vector<double>>(n)
                                                                           : std::string("odd");
    return std::visit(Visitor(), value);
  };
  for (int i = 0; i < 100; ++i)
    for (const auto& [name, make] : table)
      groups[static_cast<int>(std::uniform_int_distribution<int>(0, 9)(random))].insert(name + make(i));
  for (const auto& [key, group] : groups) std::cout << key << ' ' << group.size() << '\n';
  return 0;
}
