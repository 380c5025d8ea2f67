// cpp_new.cc - C++ programs: containers and virtual objects, sized delete, and new with alignments of 64 to 4096.
// Everything goes through operator new and the sized and aligned forms of operator delete.

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

class Shape {
 public:
  virtual ~Shape() = default;
  virtual std::uint64_t weight() const = 0;
};

template <std::size_t kBytes, std::size_t kAlignment>
class alignas(kAlignment) Sized final : public Shape {
 public:
  explicit Sized(std::uint64_t value) : value_(value) { padding_[kBytes - 1] = static_cast<char>(value); }
  std::uint64_t weight() const override {
    if (reinterpret_cast<std::uintptr_t>(this) % kAlignment != 0 || padding_[kBytes - 1] != static_cast<char>(value_))
      corrupt(this, kBytes);
    return value_;
  }

 private:
  std::uint64_t value_;
  char padding_[kBytes];
};

std::unique_ptr<Shape> make_shape(Random& random) {
  const std::uint64_t value = random.next();
  switch (value % 16) {
    case 0: return std::make_unique<Sized<64, 64>>(value);
    case 1: return std::make_unique<Sized<200, 64>>(value);
    case 2: return std::make_unique<Sized<1000, 128>>(value);
    case 3: return value % 256 == 3 ? std::unique_ptr<Shape>(std::make_unique<Sized<4096, 4096>>(value))
                                    : std::make_unique<Sized<300, 32>>(value);
    case 4:
    case 5:
    case 6: return std::make_unique<Sized<100, 8>>(value);
    case 7:
    case 8: return std::make_unique<Sized<40, 8>>(value);
    default: return std::make_unique<Sized<16, 8>>(value);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"operations", 8000000, 1, 10000000000}, {"objects", 20000, 1, 10000000}});
  const std::uint64_t operations = parameters.work(parameters["operations"], 1000);
  const std::uint64_t objects = parameters["objects"];
  Random random(17);
  std::vector<std::unique_ptr<Shape>> shapes(objects);
  std::map<std::uint64_t, std::string> ordered;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> lists;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    std::unique_ptr<Shape>& shape = shapes[random.below(objects)];
    if (shape) sum += mix(shape->weight());
    shape = make_shape(random);
    const std::uint64_t key = random.below(objects);
    if (i % 4 == 0) {
      // Half of the strings are too long for the string itself.
      auto [at, is_new] = ordered.try_emplace(key, std::string(key % 64, 'x'));
      if (!is_new) {
        sum += at->second.size();
        ordered.erase(at);
      }
    } else if (i % 4 == 1) {
      std::vector<std::uint32_t>& list = lists[key % 1024];
      list.push_back(static_cast<std::uint32_t>(key));
      if (list.size() > 100) {
        sum += list.front() + list.back();
        lists.erase(key % 1024);
      }
    }
  }
  for (const auto& entry : ordered) sum += entry.first;
  for (const auto& entry : lists) sum += entry.second.size();
  return finish(sum);
}
