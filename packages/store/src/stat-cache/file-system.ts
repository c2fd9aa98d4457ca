import { statfsSync } from 'node:fs';

/** NFS, SMB, SMB2, Lustre, FUSE (sshfs, s3fs), BeeGFS, GPFS, CephFS, AFS, 9p: files mapped into memory are not safe there. */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x0bd00bd0, 0x65735546, 0x19830326, 0x47504653, 0x00c36400, 0x5346414f,
  0x01021997,
]);

/** ext4, XFS, Btrfs, tmpfs, F2FS, ZFS, bcachefs, overlayfs: a name that comes or goes changes its folder's times at once. */
const TELLING_TYPES: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1, 0xca451a4e, 0x794c7630,
]);

const tellingDevices = new Map<bigint, boolean>();

/** Whether a folder is on another machine's disk, as far as its file system's type tells. Throws what `statfs` throws. */
export function isOnNetwork(folder: string): boolean {
  return NETWORK_TYPES.has(statfsSync(folder).type);
}

/**
 * Whether the times of folders on a device tell whether names came or went: only where that is known of the file system. FAT's
 * root has no times, and what FUSE says of its own is anything.
 * @param folder any on the device.
 */
export function tellsOfNames(dev: bigint, folder: string): boolean {
  let isTelling = tellingDevices.get(dev);
  if (isTelling === undefined) {
    try {
      isTelling = TELLING_TYPES.has(statfsSync(folder).type);
    } catch {
      isTelling = false;
    }
    tellingDevices.set(dev, isTelling);
  }
  return isTelling;
}
