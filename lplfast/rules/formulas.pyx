"""The formulas of formulas.pxd for Python callers."""

from ..validation import as_double, as_number


def K_t(K, sigma_sq, sigma_W, gap, eta):
    """K s^2 + g + 3 K s^2 g eta + 6 K^2 s_max(W) gap eta^2 with g = sqrt(2 K gap), rounded up.

    Examples
    --------
    >>> round(K_t(1.0, 2.0, 1.0, 0.5, 0.1), 12)     # 2 + 1 + 0.6 + 0.03
    3.63
    """
    return local_smoothness(as_double("K", K), as_double("sigma_sq", sigma_sq), as_double("sigma_W", sigma_W),
                            as_double("gap", gap), as_number("eta", eta))


def K_t_sharp(K, sigma_sq, sigma_W, G_2, G_F, eta):
    """K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2, rounded up.

    Examples
    --------
    >>> round(K_t_sharp(1.0, 2.0, 1.0, 1.0, 1.0, 0.1), 12)      # 2 + 1 + 0.2 + 0.005
    3.205
    """
    return sharp_smoothness(as_double("K", K), as_double("sigma_sq", sigma_sq), as_double("sigma_W", sigma_W),
                            as_double("G_2", G_2), as_double("G_F", G_F), as_number("eta", eta))
