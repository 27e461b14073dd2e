/* Threads that share the tiles of one job at a time: `team.pxd` says what each function does.

   A job is a number of tiles. Whoever is free takes the next one, the caller too; a worker that is late, or that the
   processor has no room for, holds up no more than the tile that it has begun. Between two jobs a worker looks for a
   few microseconds whether there is another, and then sleeps. There are workers from the first job of a call to its
   end, and signals are left to the other threads of the process. A child that is forked in between has no workers, and
   works through its tiles alone.

   Where there are no POSIX threads, or no GCC or Clang, there is no team, and the caller does all tiles. */

#ifndef LPLFAST_TEAM_H
#define LPLFAST_TEAM_H

#include <stddef.h>

#if defined(__GNUC__)
  #define LPL_CALLABLE static __attribute__((unused))
#else
  #define LPL_CALLABLE static
#endif

typedef void (*lpl_work)(void* job, int tile);

#if defined(_WIN32) || !defined(__GNUC__)

LPL_CALLABLE void* lpl_gather(int n_threads) { (void) n_threads; return NULL; }

LPL_CALLABLE void lpl_dismiss(void* team) { (void) team; }

LPL_CALLABLE void lpl_share(int tiles, lpl_work work, void* job) {
    int tile;
    for (tile = 0; tile < tiles; tile++)
        work(job, tile);
}

#else

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Looks of some ten nanoseconds each before a thread sleeps: about as long as it takes to be woken. */
#define LPL_SPIN 4000
/* What a worker's calls of BLAS put on their stack is less than a tenth of this. */
#define LPL_STACK (1 << 20)

#if defined(__x86_64__) || defined(__i386__)
  #define LPL_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
  #define LPL_PAUSE() __asm__ volatile("yield")
#else
  #define LPL_PAUSE() ((void) 0)
#endif
#define LPL_READ(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define LPL_WRITE(x, value) __atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)

typedef struct lpl_team {
    /* the job: written by the caller while no tile is left, read by who has taken one */
    lpl_work work;
    void* job;
    int tiles;
    /* atomic */
    int left;               /* tiles that nobody has taken yet */
    int done;
    int closing;
    int asleep;             /* workers that are, or are about to be: who gives out tiles after that wakes them */
    int caller_asleep;      /* likewise, woken by who does the last tile */
    /* the caller's own */
    struct lpl_team* outer; /* the team of a call that this one came in */
    pid_t process;
    int wanted, workers;
    pthread_mutex_t lock;
    pthread_cond_t called, finished;
    pthread_t threads[];
} lpl_team;

/* The team of this thread, if it has one and is not inside a job. */
static __thread lpl_team* lpl_mine;

/* Take a tile: its number, or -1 if none is left. */
static int lpl_take(lpl_team* team) {
    int left = LPL_READ(team->left);
    while (left > 0)
        if (__atomic_compare_exchange_n(&team->left, &left, left - 1, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return team->tiles - left;
    return -1;
}

/* Do tiles until none is left. */
static void lpl_help(lpl_team* team) {
    int tile, tiles;
    while ((tile = lpl_take(team)) >= 0) {
        tiles = team->tiles;
        team->work(team->job, tile);
        /* from here on the caller may begin another job */
        if (__atomic_add_fetch(&team->done, 1, __ATOMIC_SEQ_CST) == tiles && LPL_READ(team->caller_asleep)) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->finished);
            pthread_mutex_unlock(&team->lock);
        }
    }
}

/* Wait until there are tiles or the team is dismissed. */
static void lpl_await_tiles(lpl_team* team) {
    int i;
    for (i = 0; i < LPL_SPIN; i++) {
        if (LPL_READ(team->left) > 0 || LPL_READ(team->closing))
            return;
        LPL_PAUSE();
    }
    pthread_mutex_lock(&team->lock);
    __atomic_add_fetch(&team->asleep, 1, __ATOMIC_SEQ_CST);
    while (LPL_READ(team->left) <= 0 && !LPL_READ(team->closing))
        pthread_cond_wait(&team->called, &team->lock);
    __atomic_sub_fetch(&team->asleep, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&team->lock);
}

/* Wait until the tiles that others have taken are done. */
static void lpl_await_end(lpl_team* team) {
    int i;
    for (i = 0; i < LPL_SPIN; i++) {
        if (LPL_READ(team->done) == team->tiles)
            return;
        LPL_PAUSE();
    }
    pthread_mutex_lock(&team->lock);
    LPL_WRITE(team->caller_asleep, 1);
    while (LPL_READ(team->done) != team->tiles)
        pthread_cond_wait(&team->finished, &team->lock);
    LPL_WRITE(team->caller_asleep, 0);
    pthread_mutex_unlock(&team->lock);
}

static void* lpl_worker(void* of) {
    lpl_team* team = of;
    while (!LPL_READ(team->closing)) {
        lpl_help(team);
        lpl_await_tiles(team);
    }
    return NULL;
}

static void lpl_wake(lpl_team* team) {
    if (LPL_READ(team->asleep)) {
        pthread_mutex_lock(&team->lock);
        pthread_cond_broadcast(&team->called);
        pthread_mutex_unlock(&team->lock);
    }
}

/* Start the workers, or as many of them as there can be. */
static void lpl_start(lpl_team* team) {
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes))
        return;
    pthread_attr_setstacksize(&attributes, LPL_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->workers < team->wanted
           && !pthread_create(&team->threads[team->workers], &attributes, lpl_worker, team))
        team->workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    team->wanted = team->workers;
}

LPL_CALLABLE void* lpl_gather(int n_threads) {
    lpl_team* team;
    if (n_threads < 2 || !(team = calloc(1, sizeof(lpl_team) + (size_t) (n_threads - 1) * sizeof(pthread_t))))
        return NULL;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->called, NULL);
    pthread_cond_init(&team->finished, NULL);
    team->wanted = n_threads - 1;
    team->process = getpid();
    team->outer = lpl_mine;
    lpl_mine = team;
    return team;
}

LPL_CALLABLE void lpl_dismiss(void* gathered) {
    lpl_team* team = gathered;
    int i;
    if (!team)
        return;
    lpl_mine = team->outer;
    /* in a forked child nobody is left to wait for, and the lock may be held by nobody */
    if (team->process == getpid()) {
        LPL_WRITE(team->closing, 1);
        lpl_wake(team);
        for (i = 0; i < team->workers; i++)
            pthread_join(team->threads[i], NULL);
        pthread_mutex_destroy(&team->lock);
        pthread_cond_destroy(&team->called);
        pthread_cond_destroy(&team->finished);
    }
    free(team);
}

LPL_CALLABLE void lpl_share(int tiles, lpl_work work, void* job) {
    lpl_team* team = lpl_mine;
    int tile;
    if (team && tiles > 1 && team->workers < team->wanted)
        lpl_start(team);
    if (!team || tiles < 2 || !team->workers || team->process != getpid()) {
        for (tile = 0; tile < tiles; tile++)
            work(job, tile);
        return;
    }
    lpl_mine = NULL;            /* a tile that shares out tiles of its own does them itself */
    team->work = work;
    team->job = job;
    team->tiles = tiles;
    LPL_WRITE(team->done, 0);
    LPL_WRITE(team->left, tiles);
    lpl_wake(team);
    lpl_help(team);
    lpl_await_end(team);
    lpl_mine = team;
}

#endif
#endif
