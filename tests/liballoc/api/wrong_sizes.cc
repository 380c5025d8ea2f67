// wrong_sizes.cc - a program as there are some: it deletes derived objects by way of a base without virtual destructor, so that its sized
// deletes say sizes that are too small, after many that were right. Run with liballoc.so preloaded; it is to end as without.
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Base {
  int kind = 0;
};
template <size_t Bytes>
struct Derived : Base {
  char more[Bytes] = {};
};

template <size_t Bytes>
void make_and_delete() {
  auto* derived = new Derived<Bytes>;
  memset(derived->more, 1, Bytes);
  delete static_cast<Base*>(derived);
}

void work(unsigned seed) {
  std::vector<std::unique_ptr<std::string>> kept;
  for (unsigned i = 0; i < 50000; i++) {
    kept.push_back(std::make_unique<std::string>(40 + i % 100, 'x'));
    if (i > 20000) {
      if (i % 7 == seed) make_and_delete<200>();
      if (i % 97 == seed) make_and_delete<5000>();
      if (i % 997 == seed) make_and_delete<100000>();
    }
    if (i % 3 == 0) continue;
    kept[kept.size() / 2].swap(kept.back());
    kept.pop_back();
  }
}

}  // namespace

int main() {
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; seed++) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  return 0;
}
