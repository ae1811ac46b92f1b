// Package store reads objects under URLs: s3:// (also s3a://), gs://, azblob:// (also abfss:// and wasbs://), http://
// and https://. It is what package dataset takes inputs from that are URLs, and is a package of its own so that programs
// with local files alone do not link the clouds' SDKs.
//
//	objects := store.New()
//	defer objects.Close()
//	src, err := dataset.Open([]string{"s3://bucket/photos/"}, dataset.SourceOptions{Objects: objects})
//
// # Credentials
//
// They come from where each cloud's own tools take them: the environment, the configuration files in the home folder,
// or the machine's role. A query at the end of a URL goes to the driver of gocloud.dev/blob, such as
// ?region=eu-west-1, ?profile=work, ?endpoint=https://minio.example&use_path_style=true, or ?anonymous=true for a public
// bucket. AWS_ENDPOINT_URL alone is enough for a server of one's own: then buckets are named in the path.
//
// # Broken connections
//
// A read that breaks off goes on where it was, as long as the object is the same; three times in a row at most. What
// fails for good has the URL in its error, and a method Temporary that tells whether another try may help.
package store
