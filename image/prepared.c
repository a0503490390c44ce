/* The shapes of include/image.h: also part of skiff, which reads what skiff-image prints. */
#include "image.h"

/* clang-format off */
#define THIS prepared_root
SHAPE(prepared_root, IMAGE_ROOT)
#undef THIS
#define THIS prepared_user
SHAPE(prepared_user, IMAGE_USER)
#undef THIS
#define THIS prepared_config
SHAPE(prepared_config, IMAGE_PREPARED_CONFIG)
#undef THIS
#define THIS prepared_image
SHAPE(prepared_image, IMAGE_PREPARED)
#undef THIS
/* clang-format on */
