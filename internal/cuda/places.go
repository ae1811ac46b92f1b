//go:build cuda && cgo && linux

package cuda

import (
	"fmt"
	"os"
	"strings"
)

// usualPlaces are where libcuda.so.1 lies on systems whose loader does not look there: WSL 2, container platforms,
// NixOS, Jetson.
var usualPlaces = []string{
	"/usr/lib/wsl/lib/libcuda.so.1",
	"/usr/lib/x86_64-linux-gnu/libcuda.so.1",
	"/usr/lib/aarch64-linux-gnu/libcuda.so.1",
	"/usr/lib64/libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1",
	"/run/opengl-driver/lib/libcuda.so.1",
	"/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1",
}

// places are what Start tries to open, in order: the given file alone, or the loader's search and the usual places.
func places(given string) []string {
	if given != "" {
		return []string{given}
	}
	return append([]string{"libcuda.so.1"}, usualPlaces...)
}

// kernelModule tells whether the kernel's half of the driver is loaded.
func kernelModule() bool {
	_, err := os.Stat("/proc/driver/nvidia/version")
	return err == nil
}

// notFound says that none of the paths is there.
func notFound(tried []string, kernelModule bool) error {
	remedy := "install NVIDIA's driver, 580 or newer"
	if kernelModule {
		remedy = "the kernel has NVIDIA's module, so this is a container without the driver's libraries, or libcuda is not installed: " +
			"start the container with --gpus all and NVIDIA_DRIVER_CAPABILITIES=compute,utility, or install libcuda of the module's version"
	}
	return fmt.Errorf("no NVIDIA driver: libcuda.so.1 is not there (tried %s); %s", strings.Join(tried, ", "), remedy)
}

// versionText writes 12040 as "12.4".
func versionText(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }
