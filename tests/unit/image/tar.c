/* The tar reader's parts, and the reader itself on bytes at any boundary. */
#include "image/tar.h"

#include "image/acl.h"
#include "image/digest.h"
#include "image/place.h"
#include "image/tar_header.h"
#include "tests/unit/check.h"

static void numbers(void)
{
	int64_t value;

	CHECK_FINE(tar_number("0000644\0", 8, "mode", &value));
	CHECK(value == 0644);
	CHECK_FINE(tar_number("   12 \0\0", 8, "mode", &value));
	CHECK(value == 10);
	CHECK_FINE(tar_number("\0\0\0\0\0\0\0\0", 8, "mode", &value));
	CHECK(value == 0);
	CHECK_FAILS(tar_number("00x0644\0", 8, "mode", &value), EINVAL, "mode is not a number");
	CHECK_FINE(tar_number("\x80\0\0\0\0\0\x01\0", 8, "uid", &value));
	CHECK(value == 256);
	CHECK_FINE(
		tar_number("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, "time", &value));
	CHECK(value == -2);
	CHECK_FAILS(tar_number("\x80\0\0\x01\0\0\0\0\0\0\0\0", 12, "size", &value), ERANGE,
		    "range");
	CHECK_FAILS(tar_number("\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12, "size", &value),
		    ERANGE, "range");
}

static void times(void)
{
	struct timespec t;

	CHECK(pax_time("1.5", &t) && t.tv_sec == 1 && t.tv_nsec == 500000000);
	CHECK(pax_time("-86400.000000001", &t) && t.tv_sec == -86401 && t.tv_nsec == 999999999);
	CHECK(pax_time("-1", &t) && t.tv_sec == -1 && t.tv_nsec == 0);
	CHECK(pax_time("0.1234567899", &t) && t.tv_nsec == 123456789);
	CHECK(!pax_time("", &t));
	CHECK(!pax_time("-", &t));
	CHECK(!pax_time("1x", &t));
	CHECK(!pax_time(".5", &t));
	CHECK(!pax_time("99999999999999999999", &t));
}

static void paths(void)
{
	char out[128];

	CHECK_FINE(place_normalize("/a//./b/", out));
	CHECK_TEXT(out, "a/b");
	CHECK_FINE(place_normalize("./", out));
	CHECK_TEXT(out, "");
	CHECK_FINE(place_normalize("a/..b/c..", out));
	CHECK_TEXT(out, "a/..b/c..");
	CHECK_FAILS(place_normalize("a/../b", out), EINVAL, "'..'");
	CHECK_FAILS(place_normalize("..", out), EINVAL, "'..'");
}

static void digests(void)
{
	struct digest d;

	CHECK_FINE(digest_of("", 0, &d));
	CHECK_TEXT(d.text,
		   "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_FINE(digest_parse(d.text, &d));
	CHECK_FAILS(
		digest_parse(
			"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			&d),
		EINVAL, "lower-case");
	CHECK_FAILS(digest_parse("sha256:../..", &d), EINVAL, "digest");
	CHECK_FAILS(digest_parse("sha2:00", &d), EINVAL, "digest");
	CHECK_FAILS(digest_parse("", &d), EINVAL, "digest");
}

static void acls(void)
{
	const char *text = "user::rwx,user:7:r--,group::r-x,mask::rwx,other::---";
	unsigned char out[128];
	size_t len;

	CHECK(acl_size_max(text) <= sizeof(out));
	CHECK_FINE(acl_from_text(text, out, &len));
	CHECK(len == 4 + 5 * 8);
	CHECK(memcmp(out,
		     "\2\0\0\0"
		     "\1\0\7\0\377\377\377\377"
		     "\2\0\4\0\7\0\0\0",
		     20) == 0);
	CHECK_FAILS(acl_from_text("user:nobody:rwx", out, &len), EINVAL, "nobody");
	CHECK_FINE(acl_from_text("user:nobody:rwx:99", out, &len));
	CHECK_FAILS(acl_from_text("user:rwx", out, &len), EINVAL, "damaged");
	CHECK_FAILS(acl_from_text("x::rwx", out, &len), EINVAL, "entry 'x'");
}

/* A stream that gives its bytes a few at a time. */
struct dripping {
	struct stream s;
	const char *data;
	size_t len, step;
};

static error *drip(struct stream *s, const void **chunk, size_t *len)
{
	struct dripping *d = (struct dripping *)s;

	*len = d->len < d->step ? d->len : d->step;
	*chunk = d->data;
	d->data += *len;
	d->len -= *len;
	return NULL;
}

static void put_header(char *block, const char *name, char type, size_t size)
{
	union tar_header *h = (union tar_header *)block;
	unsigned sum = 0;

	memset(h, 0, TAR_BLOCK);
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->mode, 8, "%07o", 0644u);
	snprintf(h->size, 12, "%011zo", size);
	memcpy(h->magic, "ustar\00000", 8);
	h->type = type;
	memset(h->checksum, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h->bytes[i];
	snprintf(h->checksum, 8, "%06o", sum);
}

static void boundaries(void)
{
	static char archive[7 * TAR_BLOCK];
	static const size_t steps[] = { 1, 7, 511, 512, 513, 1000, sizeof(archive) };

	put_header(archive, "pax", 'x', 15);
	memcpy(archive + TAR_BLOCK, "15 path=longer\n", 15);
	put_header(archive + 2 * TAR_BLOCK, "short", '0', 600);
	memset(archive + 3 * TAR_BLOCK, 'c', 600);
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct dripping d = { { drip, NULL, NULL }, archive, sizeof(archive), steps[i] };
		auto_tar struct tar *t = NULL;
		const struct entry *e;
		uint64_t sum = 0;
		CHECK_FINE(tar_open(&d.s, NULL, &t));
		CHECK_FINE(tar_next(t, &e));
		CHECK(e && e->type == ENTRY_FILE && e->size == 600 && e->mode == 0644);
		CHECK_TEXT(e->name, "longer");
		for (;;) {
			const void *chunk;
			size_t len;
			uint64_t offset;
			CHECK_FINE(tar_content(t, &chunk, &len, &offset));
			CHECK(!len || (offset == sum && *(const char *)chunk == 'c'));
			sum += len;
			if (!len)
				break;
		}
		CHECK(sum == 600);
		CHECK_FINE(tar_next(t, &e));
		CHECK(!e);
	}
	for (size_t cut = 1; cut < 5 * TAR_BLOCK; cut += 97) {
		struct dripping d = { { drip, NULL, NULL }, archive, cut, 4096 };
		auto_tar struct tar *t = NULL;
		const struct entry *e = NULL;
		CHECK_FINE(tar_open(&d.s, NULL, &t));
		error *failed = tar_next(t, &e);
		if (!failed)
			failed = tar_next(t, &e);
		CHECK(failed);
		error_free(failed);
	}
}

int main(void)
{
	numbers();
	times();
	paths();
	digests();
	acls();
	boundaries();
	return 0;
}
