/* The shape of network.json: also part of skiff, which writes it. */
#include "netns.h"

/* clang-format off */
#define THIS net_request
SHAPE(net_request, NET_REQUEST)
#undef THIS
/* clang-format on */
