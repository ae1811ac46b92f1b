"""The best that we found within Spark and PyTorch: predict_batch_udf on the bytes, the model once a Python worker, in bfloat16,
channels last, in batches of 32."""
import torch
import torchvision
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql.types import ArrayType, FloatType

import spark_rounds

BATCH = 32


def make_predict():
    """Runs once in each Python worker. The function it returns: array of bytes objects [N] -> float32 [N, 2048]."""
    import io

    import torch
    import torchvision
    from PIL import Image
    from torchvision import transforms

    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None)
    network.fc = torch.nn.Identity()
    network = network.eval().to(memory_format=torch.channels_last).to(torch.bfloat16)
    to_tensor = transforms.Compose([
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ])

    def predict(contents):
        pictures = torch.stack([to_tensor(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents])
        with torch.inference_mode():
            return network(pictures.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)).float().numpy()

    return predict


def main():
    args = spark_rounds.arguments()
    spark, _ = spark_rounds.session(args)
    features = predict_batch_udf(make_predict, return_type=ArrayType(FloatType()), batch_size=BATCH)

    def job(frame):
        spark_rounds.drain(frame.select("path", features("content").alias("features")))

    spark_rounds.serve(args, spark, job, torch=torch.__version__, torchvision=torchvision.__version__)


if __name__ == "__main__":
    main()
