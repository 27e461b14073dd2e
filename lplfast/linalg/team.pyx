"""Threads for the products of one large run; one module, since a thread finds its team by a variable of its own."""

cdef extern from "linalg/team.h":
    void* _gather "lpl_gather"(int n_threads) noexcept nogil
    void _dismiss "lpl_dismiss"(void* team) noexcept nogil
    void _share "lpl_share"(int tiles, Work work, void* job) noexcept nogil


cdef void* gather(Py_ssize_t n_threads) noexcept nogil:
    return _gather(<int> min(n_threads, <Py_ssize_t> MOST))


cdef void dismiss(void* team) noexcept nogil:
    _dismiss(team)


cdef void share(int tiles, Work work, void* job) noexcept nogil:
    _share(tiles, work, job)
