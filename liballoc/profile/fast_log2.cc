// fast_log2.cc - see fast_log2.h. The table holds log2(1 + i/128) * 2^48, rounded to nearest; it
// was computed with 60 decimal digits. Between entries the line is below the curve by at most 1 /
// (8 * 128^2 * ln 2) = 1.1e-5.
#include "liballoc/profile/fast_log2.h"

#include <bit>

#include "liballoc/base/bits.h"

namespace liballoc {

namespace {

constexpr unsigned kIndexBits = 7;
constexpr uint64_t kTable[(1u << kIndexBits) + 1] = {
    0x0000000000000, 0x002dfca16dde1, 0x005b9e5a170b5, 0x0088e68ea899a, 0x00b5d69bac77f,
    0x00e26fd5c8556, 0x010eb389fa2a0, 0x013aa2fdd27f2, 0x01663f6fac913, 0x01918a16e4633,
    0x01bc84240adac, 0x01e72ec117fa6, 0x02118b119b4f4, 0x023b9a32eaa57, 0x02655d3c4f15c,
    0x028ed53f307ef, 0x02b803473f7ad, 0x02e0e85a9de05, 0x0309857a05e07, 0x0331dba0efce2,
    0x0359ebc5b69d9, 0x0381b6d9bb29c, 0x03a93dc9864b3, 0x03d0817ce9cd5, 0x03f782d7204d0,
    0x041e42b6ec0c0, 0x0444c1f6b4c2e, 0x046b016ca47c2, 0x049101eac381d, 0x04b6c43f1366b,
    0x04dc4933a9338, 0x0501918ec6c11, 0x05269e12f346e, 0x054b6f7f1325b, 0x0570068e7ef5a,
    0x059463f919def, 0x05b8887367433, 0x05dc74ae9fbed, 0x06002958c5871, 0x0623a71cb82c9,
    0x0646eea247c5c, 0x066a008e4788d, 0x068cdd829fd81, 0x06af861e5fc7d, 0x06d1fafdce20b,
    0x06f43cba79e41, 0x07164beb4a56d, 0x073829248e962, 0x0759d4f80cba8, 0x077b4ff5108d9,
    0x079c9aa879d53, 0x07bdb59cca389, 0x07dea15a32c1b, 0x07ff5e66a0ffe, 0x081fed45cbccc,
    0x08404e793fb82, 0x086082806b1d5, 0x088089d8a9e47, 0x08a064fd50f2a, 0x08c01467b94bb,
    0x08df988f4ae80, 0x08fef1e987409, 0x091e20ea1393e, 0x093d2602c2e60, 0x095c01a39fbd7,
    0x097ab43af59f9, 0x09993e355a4e5, 0x09b79ffdb6c8b, 0x09d5d9fd5010b, 0x09f3ec9bcfb81,
    0x0a11d83f4c355, 0x0a2f9d4c5103a, 0x0a4d3c25e68dc, 0x0a6ab52d99e76, 0x0a8808c384548,
    0x0aa5374652a1c, 0x0ac241134c4ea, 0x0adf26865a8a2, 0x0afbe7fa0f04d, 0x0b1885c7aa982,
    0x0b35004723c46, 0x0b5157cf2d078, 0x0b6d8cb53b0ca, 0x0b899f4d8ab64, 0x0ba58feb2703b,
    0x0bc15edfeed33, 0x0bdd0c7c9a817, 0x0bf89910c1679, 0x0c1404eadf384, 0x0c2f5058593d9,
    0x0c4a7ba58377c, 0x0c65871da59de, 0x0c80730b00016, 0x0c9b3fb6d0559, 0x0cb5ed69565b0,
    0x0cd07c69d8702, 0x0ceaecfea8086, 0x0d053f6d26089, 0x0d1f73f9c70c1, 0x0d398ae817906,
    0x0d53847ac00a7, 0x0d6d60f388e42, 0x0d8720935e643, 0x0da0c39a54804, 0x0dba4a47aa997,
    0x0dd3b4d9cf24b, 0x0ded038e633f3, 0x0e0636a23e2ef, 0x0e1f4e5170d03, 0x0e384ad748f0e,
    0x0e512c6e54999, 0x0e69f35065448, 0x0e829fb693045, 0x0e9b31d93f98f, 0x0eb3a9f019750,
    0x0ecc08321eb31, 0x0ee44cd59ffab, 0x0efc781043579, 0x0f148a170700a, 0x0f2c831e44116,
    0x0f446359b1354, 0x0f5c2afc65448, 0x0f73da38d9d4b, 0x0f8b7140edbb2, 0x0fa2f045e7833,
    0x0fba577877d7d, 0x0fd1a708bbe12, 0x0fe8df263f958, 0x1000000000000,
};

// log2(1 + fraction / 2^52) in 1/2^48.
uint64_t log2_of_fraction(uint64_t fraction) {
  constexpr unsigned kRestBits = 52 - kIndexBits;
  const uint64_t index = fraction >> kRestBits;
  const uint64_t rest = fraction & ((uint64_t{1} << kRestBits) - 1);
  const uint64_t step = kTable[index + 1] - kTable[index];  // below 2^42
  __extension__ using Wide = unsigned __int128;
  return kTable[index] + static_cast<uint64_t>(static_cast<Wide>(step) * rest >> kRestBits);
}

}  // namespace

uint64_t fast_log2_fixed(uint64_t n) {
  const unsigned exponent = log2_floor(n);
  // The bits below the highest, as a fraction of 52 bits.
  const uint64_t below = n ^ (uint64_t{1} << exponent);
  const uint64_t fraction = exponent <= 52 ? below << (52 - exponent) : below >> (exponent - 52);
  return (uint64_t{exponent} << kLog2FractionBits) + log2_of_fraction(fraction);
}

double fast_log2(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  constexpr double kUnit = 1.0 / static_cast<double>(uint64_t{1} << kLog2FractionBits);
  return exponent + static_cast<double>(log2_of_fraction(fraction)) * kUnit;
}

}  // namespace liballoc
