#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "image/stream.h"

enum { SLOTS = 4, SLOT_SIZE = 256 << 10 };

/* A ring of chunks between two threads. The reader holds the slot that it was given last. */
struct ahead_stream {
	struct stream s;
	struct stream *below;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t filled, taken; /* counts, ever growing; filled - taken <= SLOTS */
	bool holds;           /* the reader uses slot taken - 1 */
	bool ended, stopped;
	error *failed;
	size_t lens[SLOTS];
	char slots[SLOTS][SLOT_SIZE];
};

/* Waits for a free slot; false when nobody wants more. */
static bool wait_for_room(struct ahead_stream *a)
{
	pthread_mutex_lock(&a->mutex);
	while (!a->stopped && a->filled - a->taken + a->holds >= SLOTS)
		pthread_cond_wait(&a->changed, &a->mutex);
	bool go_on = !a->stopped;
	pthread_mutex_unlock(&a->mutex);
	return go_on;
}

static void publish(struct ahead_stream *a, bool is_full, error *failed)
{
	pthread_mutex_lock(&a->mutex);
	if (is_full)
		a->filled++;
	else
		a->ended = true;
	a->failed = failed;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->mutex);
}

static void *read_ahead(void *context)
{
	struct ahead_stream *a = context;

	for (;;) {
		const char *chunk;
		size_t len;
		error *e = stream_next(a->below, (const void **)&chunk, &len);
		if (e || len == 0) {
			publish(a, false, e);
			return NULL;
		}
		while (len) {
			if (!wait_for_room(a))
				return NULL;
			size_t n = len < SLOT_SIZE ? len : SLOT_SIZE;
			memcpy(a->slots[a->filled % SLOTS], chunk, n);
			a->lens[a->filled % SLOTS] = n;
			chunk += n;
			len -= n;
			publish(a, true, NULL);
		}
	}
}

static error *ahead_next(struct stream *s, const void **chunk, size_t *len)
{
	struct ahead_stream *a = (struct ahead_stream *)s;
	error *e = NULL;

	pthread_mutex_lock(&a->mutex);
	if (a->holds) {
		a->holds = false;
		pthread_cond_broadcast(&a->changed);
	}
	while (a->filled == a->taken && !a->ended)
		pthread_cond_wait(&a->changed, &a->mutex);
	*len = 0;
	if (a->filled != a->taken) {
		*chunk = a->slots[a->taken % SLOTS];
		*len = a->lens[a->taken % SLOTS];
		a->taken++;
		a->holds = true;
	} else {
		e = take_ptr(&a->failed);
	}
	pthread_mutex_unlock(&a->mutex);
	return e;
}

static void ahead_free(struct stream *s)
{
	struct ahead_stream *a = (struct ahead_stream *)s;

	pthread_mutex_lock(&a->mutex);
	a->stopped = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->mutex);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->mutex);
	pthread_cond_destroy(&a->changed);
	error_free(a->failed);
	stream_free(a->below);
	free(a);
}

error *stream_ahead(struct stream *below, struct stream **out)
{
	struct ahead_stream *a = malloc(sizeof(*a));

	if (!a) {
		stream_free(below);
		return error_new(ENOMEM, "stream");
	}
	memset(a, 0, offsetof(struct ahead_stream, slots));
	a->s = (struct stream){ ahead_next, ahead_free };
	a->below = below;
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->changed, NULL);
	int code = pthread_create(&a->thread, NULL, read_ahead, a);
	if (code) {
		stream_free(below);
		free(a);
		return error_new(code, "start a thread");
	}
	*out = &a->s;
	return NULL;
}
