"""A monotonic clock that needs no interpreter."""

cdef extern from *:
    """
    #ifdef _WIN32
    #include <windows.h>
    static double lpl_seconds(void) {
        LARGE_INTEGER now, per_second;
        QueryPerformanceCounter(&now);
        QueryPerformanceFrequency(&per_second);
        return (double)now.QuadPart / (double)per_second.QuadPart;
    }
    #else
    #include <time.h>
    static double lpl_seconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    #endif
    """
    double seconds "lpl_seconds"() noexcept nogil
