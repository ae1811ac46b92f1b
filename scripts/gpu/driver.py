"""NVIDIA's driver through ctypes: as much as kernels.py needs. IMGVEC_CUDA_DRIVER names another library, as it does for imgvec."""
import ctypes as c
import os

import numpy as np


class DriverError(Exception):
    def __init__(self, call, code):
        super().__init__(f"{call}: CUDA error {code}")
        self.code = code


class Driver:
    """One device's primary context, current in this thread, and one stream."""

    def __init__(self, ordinal=0):
        self.lib = c.CDLL(os.environ.get("IMGVEC_CUDA_DRIVER") or "libcuda.so.1")
        self.simulated = hasattr(self.lib, "imgvec_sim_version")
        if self.simulated:
            self.lib.imgvec_sim_reset(c.c_int(1), None, c.c_size_t(0))
        self.call("cuInit", c.c_uint(0))
        device, context, self.stream = c.c_int(), c.c_void_p(), c.c_void_p()
        self.call("cuDeviceGet", c.byref(device), c.c_int(ordinal))
        self.call("cuDevicePrimaryCtxRetain", c.byref(context), device)
        self.call("cuCtxSetCurrent", context)
        self.call("cuStreamCreate", c.byref(self.stream), c.c_uint(1))
        name, value = c.create_string_buffer(256), c.c_int()
        self.call("cuDeviceGetName", name, c.c_int(256), device)
        self.name = name.value.decode()
        self.call("cuDeviceGetAttribute", c.byref(value), c.c_int(16), device)
        self.sms = value.value
        self.call("cuDriverGetVersion", c.byref(value))
        self.version = value.value

    def call(self, name, *args):
        code = getattr(self.lib, name)(*args)
        if code:
            raise DriverError(name, code)

    def alloc(self, size):
        at = c.c_uint64()
        self.call("cuMemAlloc_v2", c.byref(at), c.c_size_t(size))
        return at.value

    def free(self, at):
        self.call("cuMemFree_v2", c.c_uint64(at))

    def up(self, array):
        """A copy of the array on the device."""
        array = np.ascontiguousarray(array)
        at = self.alloc(array.nbytes)
        self.call("cuMemcpyHtoD_v2", c.c_uint64(at), array.ctypes.data_as(c.c_void_p), c.c_size_t(array.nbytes))
        return at

    def down(self, at, shape, dtype):
        self.synchronize()
        array = np.empty(shape, dtype)
        self.call("cuMemcpyDtoH_v2", array.ctypes.data_as(c.c_void_p), c.c_uint64(at), c.c_size_t(array.nbytes))
        return array

    def fill(self, at, value, size):
        self.call("cuMemsetD8Async", c.c_uint64(at), c.c_ubyte(value), c.c_size_t(size), self.stream)

    def load(self, ptx):
        module = c.c_void_p()
        self.call("cuModuleLoadData", c.byref(module), c.c_char_p(ptx))
        return module

    def kernel(self, module, name):
        function = c.c_void_p()
        self.call("cuModuleGetFunction", c.byref(function), module, c.c_char_p(name.encode()))
        return function

    def launch(self, kernel, grid, block, *args):
        """Queues the kernel; every parameter is a 64-bit word."""
        words = (c.c_uint64 * len(args))(*args)
        size = c.sizeof(c.c_uint64)
        places = (c.c_void_p * len(args))(*(c.addressof(words) + size * i for i in range(len(args))))
        one = c.c_uint(1)
        self.call("cuLaunchKernel", kernel, c.c_uint(grid), one, one, c.c_uint(block), one, one, c.c_uint(0), self.stream, places, None)

    def copy(self, to, at, size):
        self.call("cuMemcpyDtoDAsync_v2", c.c_uint64(to), c.c_uint64(at), c.c_size_t(size), self.stream)

    def synchronize(self):
        self.call("cuStreamSynchronize", self.stream)

    def seconds(self, queue, least=0.1, rounds=5):
        """Median device seconds of what queue() queues once, by events around many."""
        queue()
        self.synchronize()
        events = [c.c_void_p(), c.c_void_p()]
        for e in events:
            self.call("cuEventCreate", c.byref(e), c.c_uint(0))
        times, n = [], 1
        while len(times) < rounds:
            self.call("cuEventRecord", events[0], self.stream)
            for _ in range(n):
                queue()
            self.call("cuEventRecord", events[1], self.stream)
            self.call("cuEventSynchronize", events[1])
            ms = c.c_float()
            self.call("cuEventElapsedTime", c.byref(ms), events[0], events[1])
            took = ms.value / 1e3
            if took < least and n < 1 << 16:
                n = min(max(n * 2, int(n * least / max(took, 1e-6) * 1.2)), 1 << 16)
                continue
            times.append(took / n)
        for e in events:
            self.call("cuEventDestroy_v2", e)
        return sorted(times)[rounds // 2]
