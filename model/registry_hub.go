package model

import "github.com/imgvec/imgvec"

// hubRow is one file of Hugging Face's hub, at one commit of its repository.
//
// The hub can't be reached from where these rows were written, so that nobody here has hashed the files: revision,
// SHA-256 and size are what public projects of others pin for them. Each was found in several of them that have nothing
// to do with each other, and a file with any other byte is refused.
type hubRow struct {
	name, arch, title, repo, revision, file, sum string
	size                                         int64 // bytes; 0: not known
	dim                                          int
	license                                      string
	preset                                       imgvec.Preset
}

const (
	clipLicense = "MIT (code of openai/CLIP); the model card has what the weights are meant for"
	apache      = "Apache-2.0"
)

var hubRows = []hubRow{
	{
		"dinov2-s14", "dinov2-s14", "DINOv2 ViT-S/14, the CLS token", "facebook/dinov2-small", "ed25f3a31f01632728cabb09d1542f84ab7b0056", "model.safetensors",
		"ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1", 88249960, 384, apache, floorCrop(imageNet(256, 224, imgvec.Bicubic)),
	},
	{
		"dinov2-b14", "dinov2-b14", "DINOv2 ViT-B/14, the CLS token", "facebook/dinov2-base", "f9e44c814b77203eaa57a6bdbbd535f21ede1415", "model.safetensors",
		"d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841", 346345912, 768, apache, floorCrop(imageNet(256, 224, imgvec.Bicubic)),
	},
	{
		"dinov2-l14", "dinov2-l14", "DINOv2 ViT-L/14, the CLS token", "facebook/dinov2-large", "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c", "model.safetensors",
		"399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23", 1217522888, 1024, apache, floorCrop(imageNet(256, 224, imgvec.Bicubic)),
	},
	{
		"clip-vit-b32", "clip-vit-b32", "CLIP ViT-B/32, image embeddings", "openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", "pytorch_model.bin",
		"a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f", 605247071, 512, clipLicense, clipPreset(224),
	},
	{
		"clip-vit-b16", "clip-vit-b16", "CLIP ViT-B/16, image embeddings", "openai/clip-vit-base-patch16", "57c216476eefef5ab752ec549e440a49ae4ae5f3", "pytorch_model.bin",
		"ec89c7b09c749a60aae3c9cd910516f24b58214a7df060b48962d14c469cfbf0", 598641023, 512, clipLicense, clipPreset(224),
	},
	{
		"clip-vit-l14", "clip-vit-l14", "CLIP ViT-L/14, image embeddings", "openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41", "model.safetensors",
		"a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb", 1710540580, 768, clipLicense, clipPreset(224),
	},
	{
		"siglip-b16", "siglip-b16", "SigLIP ViT-B/16, image embeddings", "google/siglip-base-patch16-224", "7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed", "model.safetensors",
		"2c63cb7d1f2e95ba501893cbb8faeb4ea9a3af295498d35097126228659c2af8", 812672320, 768, apache, siglipPreset(224),
	},
	{
		"siglip-so400m14-384", "siglip-so400m14", "SigLIP So400m/14 at 384, image embeddings", "google/siglip-so400m-patch14-384", "9fdffc58afc957d1a03a25b10dba0329ab15c2a3", "model.safetensors",
		"ea2abad2b7f8a9c1aa5e49a244d5d57ffa71c56f720c94bc5d240ef4d6e1d94a", 3511950624, 1152, apache, siglipPreset(384),
	},
}

// othersNote says who vouches for a hub row's hash.
const othersNote = "as several public projects pin it; this project could not download the file"

// clipPreset is CLIPImageProcessor's: short side bicubic, centre crop.
func clipPreset(side int) imgvec.Preset {
	return floorCrop(centerCrop(side, side, imgvec.Bicubic, openAIMean, openAIStd))
}

// siglipPreset is SiglipImageProcessor's: both sides bicubic, no crop.
func siglipPreset(side int) imgvec.Preset {
	return squash(centerCrop(side, side, imgvec.Bicubic, half, half))
}

func (r hubRow) entry() Entry {
	address := hubAddress{repo: r.repo, revision: r.revision, file: r.file}
	return Entry{
		Name: r.name, Arch: r.arch, Description: r.title, Source: address.String(), License: r.license, Dim: r.dim, Preset: r.preset,
		WeightsFile: r.file, SHA256: r.sum, SHA256Note: othersNote, Bytes: r.size, url: address.String(),
	}
}
