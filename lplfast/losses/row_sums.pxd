from .loss cimport Loss, Ray, Value

# X passes through the cache in blocks of so many rows at most, fewer where rows are long: once for X @ E, and from
# there for X.T @ R.
cdef enum:
    BLOCK = 128

# All rows are cut into so many parts at most, fixed by the shape alone: a team does several at once (linalg/team.pxd),
# and what each comes to is added up in order.
cdef enum:
    PARTS = 8

# What is kept of an iterate, `here`: numbers by these names, then D = X @ (W - W_star)
# in tiles, then what a subclass keeps.
cdef enum:
    LOGIT_ERROR     # D is off by so much, in the Frobenius norm
    E_NORM          # ||W - W_star||_F
    HERE            # where D begins

# Sums over all rows, and what rounding may have done to them.
cdef struct Sums:
    double gap          # of the D_i
    double R_sq         # of the squares of their derivatives
    double off          # what `gap` may be off by beyond what `Rowwise` allows for
    double spread       # with a gradient: the largest of `spread`, and the sum of its quadratic forms
    double bent
    double logit_error  # by how much the logits are off in all, in the Frobenius norm


# One pass over all rows, and what came of each part.
cdef struct Pass:
    void* loss
    double* scratch
    # at W_star + E
    const double* E
    double* G
    double* here
    const double* from_here
    bint carried
    # along a ray
    const Ray* ray
    double* own
    double eta
    double rho
    const double* both      # [tau, B]
    Sums[PARTS] sums
    double[PARTS] slope     # or another number


# Add what came of a part to the sums.
cdef void add_sums(const Sums* part, Sums* sums) noexcept nogil


cdef class RowSums(Loss):
    cdef Py_ssize_t N
    cdef Py_ssize_t padded              # N, or the multiple of TILE above it
    cdef int block                      # rows of a block, a multiple of TILE
    cdef int parts                      # of whole blocks
    cdef const double[:, ::1] X
    cdef double[:, ::1] W_star
    cdef readonly double weight         # of a row: 1, or 1/N for a mean
    cdef readonly double l2
    cdef readonly double uncertainty    # ||grad l(W_star)|| of the loss that was asked for is at most this
    cdef readonly double blur           # and what D_i is told of the minimizer's outputs is off by, in the norm
    cdef double[:, ::1] unseen          # orthonormal directions of rows that X does not see, or None
    cdef double unseen_off              # X @ W is off by at most this part of ||W||, as X sees a little of them
    cdef readonly double lost           # as far as the caller said so
    cdef readonly double minimum_error  # l at W_star is above the minimum of the loss that was asked for by this
    cdef bint centered                  # whether a row that is constant is not seen, either
    cdef double X_norm
    cdef double X_max
    cdef double steepest                # the divergences have second derivatives of at most this, itself at most 2
    cdef bint made                      # whether all of this is there

    cdef double local_pl(self, const double* E, double bent, double rho, const Value* value,
                         double* scratch) noexcept nogil
    cdef double spread(self, Py_ssize_t first, Py_ssize_t tiles, const double* D, double* bent) noexcept nogil
    cdef double tilt_rows(self, Py_ssize_t first, Py_ssize_t tiles, double* D, double* R_sq, double* off, double* spare,
                          double* kept) noexcept nogil
    cdef Py_ssize_t kept_of_rows(self) noexcept nogil
    cdef Py_ssize_t _room(self) noexcept nogil
    cdef Py_ssize_t part_begins(self, int part) noexcept nogil
    cdef double* room_of_part(self, Pass* rows, int part) noexcept nogil
    cdef void _sum_part(self, Pass* rows, int part) noexcept nogil
    cdef void _sum_rows(self, const double* E, double* G, double* here, bint carried, Sums* sums,
                        double* scratch) noexcept nogil
    cdef void _tell(self, Sums* sums, double E_norm, double logit_error, Value* value) noexcept nogil
