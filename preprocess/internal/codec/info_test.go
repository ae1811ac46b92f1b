package codec

import "testing"

func TestInfos(t *testing.T) {
	for _, codecs := range []string{fromAuto, fromGo} {
		infos := Infos(codecs)
		if len(infos) != 5 {
			t.Errorf("%d formats", len(infos))
		}
		for _, info := range infos {
			t.Logf("%s: %+v", codecs, info)
			if info.Library == "" {
				t.Errorf("%s: no library named", info.Format)
			}
			native := info.Path != ""
			if native == (info.WhyNot != "") && (info.Format == "webp" || info.Format == "tiff") {
				t.Errorf("%s: path %q and reason %q", info.Format, info.Path, info.WhyNot)
			}
			if codecs == fromGo && native {
				t.Errorf("%s: a native library in Go-only mode", info.Format)
			}
		}
	}
}

func TestInfosNative(t *testing.T) {
	requireNative(t, libwebp)
	requireNative(t, libtiff)
	for _, info := range Infos(fromPillow) {
		if info.WhyNot != "" {
			t.Errorf("%s: %s", info.Format, info.WhyNot)
		}
		if (info.Format == "webp" || info.Format == "tiff") && info.Version == "" {
			t.Errorf("%s: no version", info.Format)
		}
	}
}
