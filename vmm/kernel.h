/* skiff-kernel: what sandboxes boot. A store holds one folder for each kernel, VERSION/ with
 * vmlinux and modules/, and a link "current" to the one that is used when nobody names another. */
#pragma once

#include "base/error.h"

/* kernel_fetch.c: downloads Debian's kernel of that package (NULL: the usual one for virtual
 * machines) with apt-get, and puts what a guest needs of it into the store. Nothing is installed.
 */
must_use error *kernel_fetch(const char *store, const char *package);

/* kernel_image.c: writes the ELF file that is packed in a bzImage; see the kernel's
 * Documentation/arch/x86/boot.rst. name is what errors call it. */
must_use error *kernel_unpack(int bzimage, const char *name, int vmlinux);

/* kernel_once.c: the same, into the store, unless it is there. *out is its path; malloc()ed. */
must_use error *kernel_unpack_once(const char *store, const char *bzimage, char **out);

/* kernel_modules.c: copies the modules that a guest needs out of lib/modules/VERSION, with what
 * they depend on, into the folder `to`, and writes to/order. */
must_use error *kernel_take_modules(const char *from, const char *to);
