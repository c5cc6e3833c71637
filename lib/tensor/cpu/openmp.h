/*
 * openmp.h - the two calls of OpenMP that the folder needs, of the runtime that oneDNN brings. Its
 * own header comes with the compiler, and clang's describes another runtime.
 */
#ifndef ZT_TENSOR_CPU_OPENMP_H
#define ZT_TENSOR_CPU_OPENMP_H

int omp_get_max_threads(void);
void omp_set_num_threads(int threads);

#endif
