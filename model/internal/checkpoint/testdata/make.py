#!/usr/bin/env python3
"""Makes the checkpoints of this folder with CPython's own pickle and zipfile, without PyTorch.

torch.save pickles a tensor as a call of torch._utils._rebuild_tensor_v2 on a persistent id; modules of those names are
made up here so that the bytes are the ones that PyTorch writes. Element i of storage number k is (i + k) / 8 - 1, which
every type here holds exactly (integers: i + k).

    python3 make.py        # writes beside itself; the same bytes each time
"""
import argparse, collections, io, json, os, pickle, struct, sys, types, zipfile

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
torch._utils = utils
PACK = {"DoubleStorage": "d", "FloatStorage": "f", "HalfStorage": "e", "BFloat16Storage": "bf", "LongStorage": "q",
        "IntStorage": "i", "ShortStorage": "h", "CharStorage": "b", "ByteStorage": "B", "BoolStorage": "?"}
for _name in PACK:
    setattr(torch, _name, type(_name, (), {"__module__": "torch", "__qualname__": _name}))


def _rebuild_tensor_v2(*_): ...
def _rebuild_parameter(*_): ...


for _f in (_rebuild_tensor_v2, _rebuild_parameter):
    _f.__module__, _f.__qualname__ = "torch._utils", _f.__name__
    setattr(utils, _f.__name__, _f)


class Storage:
    def __init__(self, k, kind, length):
        self.k, self.kind, self.length = k, kind, length

    def data(self):
        out = b""
        for i in range(self.length):
            v, code = (i + self.k) / 8 - 1, PACK[self.kind]
            if code == "bf":
                out += struct.pack("<f", v)[2:]
            elif code in "dfe":
                out += struct.pack("<" + code, v)
            elif code == "?":
                out += struct.pack("?", (i + self.k) % 2)
            else:
                out += struct.pack("<" + code, i + self.k)
        return out


class Tensor:
    def __init__(self, storage, shape, stride, offset=0):
        self.args = (storage, offset, tuple(shape), tuple(stride), False, collections.OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.args


class Parameter(Tensor):
    def __reduce__(self):
        return _rebuild_parameter, (Tensor(*[self.args[0], self.args[2], self.args[3], self.args[1]]), True, collections.OrderedDict())


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            tail = (None,) if self.legacy else ()
            return ("storage", getattr(torch, obj.kind), str(obj.k), "cpu", obj.length) + tail


def state_dict():
    d = collections.OrderedDict()
    f = Storage(0, "FloatStorage", 24)
    d["plain"] = Tensor(f, (2, 3, 4), (12, 4, 1))
    d["transposed"] = Tensor(f, (4, 6), (1, 4))          # the same storage, columns first
    d["slice"] = Tensor(f, (2, 2), (12, 1), 5)
    d["scalar"] = Tensor(Storage(1, "LongStorage", 1), (), ())
    d["empty"] = Tensor(Storage(2, "FloatStorage", 0), (0, 3), (3, 1))
    for k, kind in enumerate(sorted(PACK), 10):
        d[kind] = Tensor(Storage(k, kind, 6), (2, 3), (3, 1))
    d["parameter"] = Parameter(Storage(3, "FloatStorage", 5), (5,), (1,))
    d._metadata = {"": {"version": 1}}                     # becomes a BUILD
    return d


def storages(obj, found):
    if isinstance(obj, dict):
        for v in obj.values():
            storages(v, found)
    elif isinstance(obj, Tensor):
        found[obj.args[0].k] = obj.args[0]
    return found


def dumps(obj, protocol=2, legacy=False):
    out = io.BytesIO()
    p = Pickler(out, protocol)
    p.legacy = legacy
    p.dump(obj)
    return out.getvalue()


def save_zip(name, obj, protocol=2):
    with zipfile.ZipFile(name, "w", zipfile.ZIP_STORED) as z:
        def put(member, data):
            z.writestr(zipfile.ZipInfo("archive/" + member, (1980, 1, 1, 0, 0, 0)), data)
        put("data.pkl", dumps(obj, protocol))
        put("byteorder", b"little")
        for k, s in storages(obj, {}).items():
            put(f"data/{k}", s.data())
        put("version", b"3\n")


def save_legacy(name, obj):
    found = storages(obj, {})
    with open(name, "wb") as f:
        pickle.dump(0x1950A86A20F9469CFC6C, f, 2)
        pickle.dump(1001, f, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, f, 2)
        f.write(dumps(obj, 2, True))
        keys = sorted(str(k) for k in found)
        pickle.dump(keys, f, 2)
        for key in keys:
            s = found[int(key)]
            f.write(struct.pack("<q", s.length) + s.data())


def save_safetensors(name):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    names = {"F64": "DoubleStorage", "F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "I64": "LongStorage",
             "I32": "IntStorage", "I16": "ShortStorage", "I8": "CharStorage", "U8": "ByteStorage", "BOOL": "BoolStorage"}
    for k, kind in enumerate(sorted(PACK), 10):
        dtype = [d for d, n in names.items() if n == kind][0]
        raw = Storage(k, kind, 6).data()
        header[kind] = {"dtype": dtype, "shape": [2, 3], "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(name, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/executed",)


os.chdir(os.path.dirname(os.path.abspath(__file__)))
save_zip("zip.pth", state_dict())
save_zip("zip-protocol4.pth", state_dict(), 4)
save_legacy("legacy.pth", state_dict())
save_zip("wrapped.pth", {"epoch": 3, "best": 0.5, "state_dict": {"module.a": Tensor(Storage(0, "FloatStorage", 4), (4,), (1,)), "module.b": Tensor(Storage(1, "FloatStorage", 2), (2,), (1,))}})
save_zip("training.pth", {"epoch": 3, "args": argparse.Namespace(lr=0.1, name="run"), "seen": collections.Counter(a=1),
    "model": {"w": Tensor(Storage(0, "FloatStorage", 4), (4,), (1,))},
    "model_ema": {"n_averaged": Tensor(Storage(2, "LongStorage", 1), (), ()), "module.w": Tensor(Storage(1, "FloatStorage", 4), (4,), (1,))}})
save_zip("evil-zip.pth", {"weight": Tensor(Storage(0, "FloatStorage", 4), (4,), (1,)), "x": Evil()})
save_legacy("evil-legacy.pth", {"weight": Tensor(Storage(0, "FloatStorage", 4), (4,), (1,)), "x": Evil()})
save_safetensors("all.safetensors")
