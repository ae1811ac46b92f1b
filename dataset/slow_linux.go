package dataset

import (
	"slices"

	"golang.org/x/sys/unix"
)

// remoteSystems are the magic numbers of file systems whose files lie on other machines (statfs(2), and their sources).
var remoteSystems = []uint32{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
	unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC,
	0x0BD00BD0, // Lustre
	0x47504653, // GPFS
	0x19830326, // BeeGFS
}

// onNetwork tells whether a file or folder lies on another machine.
func onNetwork(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && slices.Contains(remoteSystems, uint32(s.Type))
}
