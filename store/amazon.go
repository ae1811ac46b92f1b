package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// amazon is what a URL of S3 says of how its bucket is reached; what it leaves open comes from AWS's environment and
// configuration files.
type amazon struct {
	region, profile, endpoint string
	anonymous, pathStyle      bool
}

// readAmazon reads the query of a URL.
func readAmazon(query url.Values) (a amazon, err error) {
	for name := range query {
		value := query.Get(name)
		switch name {
		case "region":
			a.region = value
		case "profile":
			a.profile = value
		case "endpoint":
			a.endpoint = value
		case "anonymous":
			a.anonymous, err = strconv.ParseBool(value)
		case "use_path_style":
			a.pathStyle, err = strconv.ParseBool(value)
		default:
			return a, fmt.Errorf("the query %q is unknown (region, profile, endpoint, anonymous, use_path_style)", name)
		}
		if err != nil {
			return a, fmt.Errorf("the query %s=%s: true or false is expected", name, value)
		}
	}
	a.ownServer(query.Has("use_path_style"))
	return a, nil
}

// ownServer makes buckets part of the path for servers that are not Amazon's: their names have no bucket in front.
func (a *amazon) ownServer(decided bool) {
	endpoint := a.endpoint
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if endpoint == "" {
			endpoint = os.Getenv(name)
		}
	}
	if endpoint == "" || strings.Contains(endpoint, "amazonaws.com") {
		return
	}
	if !decided {
		a.pathStyle = true
	}
	if a.region == "" && os.Getenv("AWS_REGION") == "" && os.Getenv("AWS_DEFAULT_REGION") == "" {
		a.region = "us-east-1" // the SDK insists on one, and such servers do not mind
	}
}

// options are the SDK's. It would write to standard error what nobody asked for: that an object has no checksum, for every object.
func (a *amazon) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		// The SDK's own budget for retries is that of one slow client, not of a hundred reads at once.
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.None })
		}),
	}
	if a.region != "" {
		options = append(options, config.WithRegion(a.region))
	}
	if a.profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.profile))
	}
	if a.anonymous {
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	return options
}

func openAmazon(ctx context.Context, bucket *url.URL) (*blob.Bucket, error) {
	a, err := readAmazon(bucket.Query())
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, a.options()...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("the bucket's region is not known: set AWS_REGION, or put ?region=eu-west-1 or the like behind the URL")
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = a.pathStyle
		if a.endpoint != "" {
			o.BaseEndpoint = aws.String(a.endpoint)
		}
	})
	return s3blob.OpenBucket(ctx, client, bucket.Host, nil)
}
