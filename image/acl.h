/* POSIX ACLs: the text form that tar archives carry, and the form that the kernel takes as the
 * xattrs system.posix_acl_access and system.posix_acl_default. */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* "user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::r--" (names are not looked up: ids alone),
 * into a buffer of at least acl_size_max(text) bytes. */
size_t acl_size_max(const char *text);
must_use error *acl_from_text(const char *text, void *out, size_t *len);
