#include "runtime/vm_network.h"

#define THIS vm_route
SHAPE(vm_route, VM_ROUTE)
#undef THIS
#define THIS vm_device
SHAPE(vm_device, VM_DEVICE)
#undef THIS
#define THIS vm_network
SHAPE(vm_network, VM_NETWORK)
#undef THIS
