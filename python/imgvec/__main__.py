"""python -m imgvec is the imgvec command, whatever PATH says."""

import os
import sys

from imgvec._binary import find_binary

if __name__ == "__main__":
    command = [find_binary(), *sys.argv[1:]]
    os.execv(command[0], command)
