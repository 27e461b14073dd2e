"""The formulas of formulas.pxd for Python callers."""

from ..validation import as_number


def K_t(double K, double sigma_sq, double sigma_W, double gap, eta):
    """K s^2 + g + 3 K s^2 g eta + 6 K^2 s_max(W) gap eta^2 with g = sqrt(2 K gap), rounded up.

    Examples
    --------
    >>> round(K_t(1.0, 2.0, 1.0, 0.5, 0.1), 12)     # 2 + 1 + 0.6 + 0.03
    3.63
    """
    return local_smoothness(K, sigma_sq, sigma_W, gap, as_number("eta", eta))


def K_t_sharp(double K, double sigma_sq, double sigma_W, double G_2, double G_F, eta):
    """K s^2 + ||G||_2 + K s^2 ||G||_2 eta + K s_max(W) ||G||_2 ||G||_F eta^2 / 2, rounded up.

    Examples
    --------
    >>> round(K_t_sharp(1.0, 2.0, 1.0, 1.0, 1.0, 0.1), 12)      # 2 + 1 + 0.2 + 0.005
    3.205
    """
    return sharp_smoothness(K, sigma_sq, sigma_W, G_2, G_F, as_number("eta", eta))
