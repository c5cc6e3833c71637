/*
 * openmp.h - the two calls of OpenMP that the folder needs, of the runtime that oneDNN brings. Its
 * own header comes with the compiler, and clang's describes another runtime.
 */
#ifndef ZT_TENSOR_CPU_OPENMP_H
#define ZT_TENSOR_CPU_OPENMP_H

#include <stdbool.h>

int omp_get_max_threads(void);
void omp_set_num_threads(int threads);

/* What `check` says with one thread of OpenMP: for calls of oneDNN outside of tasks. */
static inline bool zt_openmp_alone(bool (*check)(void))
{
    int threads = omp_get_max_threads();

    omp_set_num_threads(1);
    bool is = check();
    omp_set_num_threads(threads);
    return is;
}

#endif
