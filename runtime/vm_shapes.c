#include "runtime/vm_shapes.h"

#define THIS vm_route
SHAPE(vm_route, VM_ROUTE)
#undef THIS
#define THIS vm_device
SHAPE(vm_device, VM_DEVICE)
#undef THIS
#define THIS vm_network
SHAPE(vm_network, VM_NETWORK)
#undef THIS
#define THIS vm_process
SHAPE(vm_process, VM_PROCESS)
#undef THIS
#define THIS vm_processes
SHAPE(vm_processes, VM_PROCESSES)
#undef THIS
