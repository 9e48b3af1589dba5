#pragma once
// Numbers that all levels share: the coefficients of exp, exp2, erf and Phi, highest power first, and a mask.

namespace distilbert::kernels {

/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2
inline constexpr float exp_coefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                             4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

/// 2^x for |x| <= 1/2, fitted by Lawson's algorithm; to 7.5e-5 of it
inline constexpr float exp2_coefficients[] = {0x1.c3f76p-5f, 0x1.f0de1ap-3f, 0x1.62f31ap-1f, 0x1.fff692p-1f};

/// erf(x) / x in t = 2 x^2 / 3.8^2 - 1, fitted by Lawson's algorithm on |x| <= 3.8, at whose
/// ends it is exactly +-1; to 2e-7. No division: a rational form of like accuracy costs more on every level.
inline constexpr float erf_coefficients[] = {1.0311199584975839e-3f,  -2.703768666833639e-3f,  2.3413412272930145e-3f,
                                             -3.2770747784525156e-3f, 9.978142566978931e-3f,   -1.8357081338763237e-2f,
                                             2.6677792891860008e-2f,  -3.892766684293747e-2f,  5.506057292222977e-2f,
                                             -7.251838594675064e-2f,  9.083222597837448e-2f,   -1.1118528246879578e-1f,
                                             1.3773953914642334e-1f,  -1.8564121425151825e-1f, 3.721076250076294e-1f};

/// (Phi(x) - 1/2) / x in t = 2 x^2 / 4.5^2 - 1, Phi being the normal distribution function, fitted by Lawson's
/// algorithm on |x| <= 4.5, at whose ends Phi becomes 1 and, to 3e-8, 0; to 4.1e-6
inline constexpr float phi_coefficients[] = {-0x1.dd7234p-10f, 0x1.45722cp-8f, -0x1.9c61eep-8f, 0x1.3c14c6p-7f,
                                             -0x1.2c68b4p-6f,  0x1.d8e1a2p-6f, -0x1.49ea88p-5f, 0x1.bf9524p-5f,
                                             -0x1.3c24dcp-4f,  0x1.4157f8p-3f};

/// A group of sixteen of which only the first n lanes count: multiply by the sixteen floats from first_lanes + 16 - n.
inline constexpr float first_lanes[31] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

} // namespace distilbert::kernels
