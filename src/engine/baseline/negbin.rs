//! Upper tail of the negative binomial, in logarithms, so that no surprise is cut off by underflow.
//!
//! Source: Abramowitz & Stegun 26.5 (regularised incomplete beta), evaluated by Lentz's continued
//! fraction. Mean `mu`, dispersion `r`: variance `mu + mu²/r`.

/// Steps of the continued fraction at most; it converges in a few dozen.
const STEPS_MAX: u32 = 500;

/// −ln of the mid-p value of seeing `x` or more, given mean and dispersion.
///
/// Mid-p counts half of the probability of `x` itself, so that a common value is not surprising.
#[must_use]
pub(super) fn surprise(x: u64, mu: f64, r: f64) -> f64 {
    let mu = mu.max(1e-6);
    let at_least = ln_tail(x, mu, r);
    let more = ln_tail(x.saturating_add(1), mu, r);
    // ln((e^a + e^b) / 2) with a >= b.
    let mid = at_least + libm::log1p(libm::exp(more - at_least)) - core::f64::consts::LN_2;
    (-mid).max(0.0)
}

/// ln P(X ≥ x).
fn ln_tail(x: u64, mu: f64, r: f64) -> f64 {
    if x == 0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts far below 2^52 matter, above any will do"
    )]
    let x = x as f64;
    // P(X >= x) = I_q(x, r) with q = mu / (mu + r).
    let q = mu / (mu + r);
    let ln_front = libm::lgamma(x + r) - libm::lgamma(x) - libm::lgamma(r)
        + x * libm::log(q)
        + r * libm::log(r / (mu + r));
    if q < (x + 1.0) / (x + r + 2.0) {
        ln_front + libm::log(fraction(x, r, q)) - libm::log(x)
    } else {
        let other = ln_front + libm::log(fraction(r, x, 1.0 - q)) - libm::log(r);
        libm::log1p(-libm::exp(other).min(1.0 - 1e-15))
    }
}

/// The continued fraction of the incomplete beta function.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..=STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if (change - 1.0).abs() < 1e-12 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by summing the mass function, for small values.
    fn slow(x: u64, mu: f64, r: f64) -> f64 {
        let q = mu / (mu + r);
        let mass = |k: u64| {
            let k = k as f64;
            libm::exp(
                libm::lgamma(k + r) - libm::lgamma(k + 1.0) - libm::lgamma(r)
                    + k * libm::log(q)
                    + r * libm::log(1.0 - q),
            )
        };
        let below: f64 = (0..x).map(mass).sum();
        -libm::log(1.0 - below - mass(x) / 2.0)
    }

    #[test]
    fn agrees_with_the_sum_of_the_mass_function() {
        for (x, mu, r) in [
            (0, 2.0, 1.0),
            (1, 2.0, 1.0),
            (9, 2.0, 1.0),
            (30, 12.0, 4.0),
            (3, 5.0, 0.2),
        ] {
            let (fast, slow) = (surprise(x, mu, r), slow(x, mu, r));
            assert!((fast - slow).abs() < 1e-6, "{x} {mu} {r}: {fast} {slow}");
        }
    }

    #[test]
    fn grows_without_underflow() {
        let surprises: Vec<f64> = [10, 100, 1_000, 100_000, 10_000_000]
            .iter()
            .map(|x| surprise(*x, 5.0, 0.5))
            .collect();
        assert!(
            surprises.is_sorted() && surprises.iter().all(|s| s.is_finite()),
            "{surprises:?}"
        );
        assert!(surprises[4] > 700.0);
        assert_eq!(surprise(0, 3.0, 1.0).max(0.7), 0.7);
    }
}
