#include "image/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static const struct algorithm {
	const char *name;
	size_t hex_len;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{ "sha256", 64, EVP_sha256 },
	{ "sha512", 128, EVP_sha512 },
};

static const struct algorithm *algorithm_named(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(algorithms); i++)
		if (strncmp(algorithms[i].name, name, len) == 0 && !algorithms[i].name[len])
			return &algorithms[i];
	return NULL;
}

error *digest_parse(const char *text, struct digest *out)
{
	size_t name_len = strcspn(text, ":");
	const struct algorithm *a = algorithm_named(text, name_len);

	if (!a || text[name_len] != ':')
		return error_said(EINVAL, "'%.80s' is not a digest: want sha256:... or sha512:...",
				  text);
	const char *hex = text + name_len + 1;
	if (strlen(hex) != a->hex_len || strspn(hex, "0123456789abcdef") != a->hex_len)
		return error_said(EINVAL,
				  "'%.150s' is not a digest: want %zu lower-case hex digits", text,
				  a->hex_len);
	memcpy(out->text, text, strlen(text) + 1);
	memcpy(out->algorithm, a->name, strlen(a->name) + 1);
	return NULL;
}

const char *digest_hex(const struct digest *d)
{
	return d->text + strlen(d->algorithm) + 1;
}

bool digest_same(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

struct hasher {
	EVP_MD_CTX *context;
	const struct algorithm *algorithm;
};

error *hasher_new(const char *algorithm, struct hasher **out)
{
	auto_hasher struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return error_new(ENOMEM, "hash");
	h->algorithm = algorithm_named(algorithm, strlen(algorithm));
	if (!h->algorithm)
		return error_said(EINVAL, "'%s' is not a hash algorithm", algorithm);
	h->context = EVP_MD_CTX_new();
	if (!h->context || !EVP_DigestInit_ex(h->context, h->algorithm->md(), NULL))
		return error_new(ENOMEM, "hash");
	*out = take_ptr(&h);
	return NULL;
}

error *hasher_add(struct hasher *h, const void *data, size_t len)
{
	return EVP_DigestUpdate(h->context, data, len) ? NULL : error_said(EIO, "hash: failed");
}

error *hasher_finish(struct hasher *h, struct digest *out)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!EVP_DigestFinal_ex(h->context, raw, &len))
		return error_said(EIO, "hash: failed");
	int n = snprintf(out->text, sizeof(out->text), "%s:", h->algorithm->name);
	memcpy(out->algorithm, h->algorithm->name, strlen(h->algorithm->name) + 1);
	for (unsigned i = 0; i < len; i++)
		snprintf(out->text + n + i * 2, 3, "%02x", raw[i]);
	return NULL;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	free(h);
}

error *digest_of(const void *data, size_t len, struct digest *out)
{
	auto_hasher struct hasher *h = NULL;

	try(hasher_new("sha256", &h));
	try(hasher_add(h, data, len));
	return hasher_finish(h, out);
}
