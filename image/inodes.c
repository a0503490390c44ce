#include "image/inodes.h"

static size_t slot_of(const struct inodes *map, uint64_t ino)
{
	size_t at = (size_t)((ino * 0x9e3779b97f4a7c15ULL) >> 20) & (map->capacity - 1);

	while (map->keys[at] && map->keys[at] != ino)
		at = (at + 1) & (map->capacity - 1);
	return at;
}

static error *grow(struct inodes *map)
{
	struct inodes bigger = { .capacity = map->capacity ? map->capacity * 2 : 256 };

	bigger.keys = calloc(bigger.capacity, sizeof(*bigger.keys));
	bigger.values = calloc(bigger.capacity, sizeof(*bigger.values));
	if (!bigger.keys || !bigger.values) {
		inodes_free(&bigger);
		return error_new(ENOMEM, "inodes");
	}
	for (size_t i = 0; i < map->capacity; i++)
		if (map->keys[i]) {
			size_t at = slot_of(&bigger, map->keys[i]);
			bigger.keys[at] = map->keys[i];
			bigger.values[at] = map->values[i];
		}
	bigger.n = map->n;
	inodes_free(map);
	*map = bigger;
	return NULL;
}

error *inodes_put(struct inodes *map, uint64_t ino, uint32_t value)
{
	if ((map->n + 1) * 4 > map->capacity * 3)
		try(grow(map));
	size_t at = slot_of(map, ino);
	map->n += !map->keys[at];
	map->keys[at] = ino;
	map->values[at] = value;
	return NULL;
}

bool inodes_get(const struct inodes *map, uint64_t ino, uint32_t *value)
{
	if (!map->capacity)
		return false;
	size_t at = slot_of(map, ino);
	if (!map->keys[at])
		return false;
	if (value)
		*value = map->values[at];
	return true;
}

void inodes_free(struct inodes *map)
{
	free(map->keys);
	free(map->values);
	*map = (struct inodes){ 0 };
}
