// demangle_test.cc - C++ names, other names, and names made to explode.
#include "agent/symbolize/demangle.h"

#include <gtest/gtest.h>

#include "agent/symbolize/limits.h"

namespace liballoc::agent {
namespace {

TEST(Demangle, TurnsMangledNamesIntoDeclarations) {
  EXPECT_EQ(demangle("_ZN4shop8checkoutEi"), "shop::checkout(int)");
  EXPECT_EQ(demangle("_Znwm"), "operator new(unsigned long)");
  EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
            "std::vector<int, std::allocator<int> >::push_back(int const&)");
}

TEST(Demangle, LeavesOtherNamesAsTheyAre) {
  for (const char* name : {"", "malloc", "_start", "_Z", "_Zgarbage", "i", "_ZN4shop"}) {
    EXPECT_EQ(demangle(name), name);
  }
}

TEST(Demangle, CutsNamesBeyondTheLimit) {
  EXPECT_EQ(demangle(std::string(100'000, 'x')).size(), kMaxNameBytes);
  EXPECT_EQ(demangle("_Z" + std::string(100'000, 'P')).size(), kMaxNameBytes);
}

// f(A, pair<A, A>, pair<B, B> ...) where B is the argument before: each doubles what is printed.
std::string doubling_name(int levels) {
  const auto reference = [](int n) {
    constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return "S" + std::string(n == 0 ? "" : std::string(1, kDigits[n - 1])) + "_";
  };
  std::string name = "_Z1f1A";
  for (int level = 0; level < levels; ++level) {
    // std::pair takes a number of its own when it is first named.
    const std::string argument = reference(level == 0 ? 0 : level + 1);
    name += (level == 0 ? "St4pairI" : "S0_I") + argument + argument + "E";
  }
  return name;
}

TEST(Demangle, LeavesNamesAloneThatDoubleWithEachLetter) {
  EXPECT_EQ(demangle(doubling_name(2)),
            "f(A, std::pair<A, A>, std::pair<std::pair<A, A>, std::pair<A, A> >)");
  EXPECT_EQ(demangle(doubling_name(34)), doubling_name(34));
}

TEST(Demangle, StillReadsLongRealNames) {
  const std::string name =
      "_ZNSt8_Rb_treeINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESt4pairIKS5_S5_ESt10_"
      "Select1stIS8_ESt4lessIS5_ESaIS8_EE22_M_emplace_hint_uniqueIJRKSt21piecewise_construct_"
      "tSt5tupleIJOS5_EESJ_IJEEEEESt17_Rb_tree_iteratorIS8_ESt23_Rb_tree_const_iteratorIS8_EDpOT_";
  EXPECT_EQ(demangle(name).substr(0, 24), "std::_Rb_tree_iterator<s");
}

}  // namespace
}  // namespace liballoc::agent
