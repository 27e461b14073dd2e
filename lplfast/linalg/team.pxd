"""Threads for the products of one large run. They come and go within one call of the loop.

A function that has tiles to share out asks nobody for the team: it is the calling thread's own. Tiles are fixed by
shapes alone, and each is done by one thread from its beginning to its end, so that no bit depends on how many share.
"""

# One tile of a job, by its number from 0: in whatever thread, beside others.
ctypedef void (*Work)(void* job, int tile) noexcept nogil

cdef enum:
    MOST = 256

# Have this thread's jobs shared by so many threads, itself among them, until `dismiss`; NULL where one is enough, or no
# more can be had; MOST at most. A call inside a call has its own.
cdef void* gather(Py_ssize_t n_threads) noexcept nogil
cdef void dismiss(void* team) noexcept nogil

# Do all tiles of a job, the caller's thread and those of its team, and come back when they are done.
cdef void share(int tiles, Work work, void* job) noexcept nogil
