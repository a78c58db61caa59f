/* Plain C, compiled by an ordinary C compiler: nothing in it is seen. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Calls `callback(argument)` from this many threads at the same time and waits for all of them. */
void between_run(int threads, void *(*callback)(void *), void *argument) {
    pthread_t ids[16];
    for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, callback, argument);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Calls `callback(argument)` under a lock of its own. */
void *between_locked(void *(*callback)(void *), void *argument) {
    pthread_mutex_lock(&lock);
    void *result = callback(argument);
    pthread_mutex_unlock(&lock);
    return result;
}

/* A copy made with C's own allocator, to be given to `free`. */
char *between_copy(const char *text, size_t length) {
    char *copy = malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

void between_free(char *text) { free(text); }

int between_compare(const void *one, const void *other, int (*compare)(const void *, const void *)) {
    return compare(one, other);
}

void between_sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    qsort(base, count, size, compare);
}
