"""What a search finds first for image features on Spark: a plain UDF that takes one picture at a time through a ResNet-50 which
the driver has broadcast. It differs from what is usually shown in three lines, without which it fails or returns
something else: pictures are made RGB, the classifier is taken off, and the rows of a bad picture are not its concern.
"""
import io

import torch
import torchvision
from PIL import Image
from pyspark.sql.functions import udf
from pyspark.sql.types import ArrayType, FloatType
from torchvision import transforms

import spark_rounds


def main():
    args = spark_rounds.arguments()
    spark, _ = spark_rounds.session(args)
    torch.manual_seed(0)
    network = torchvision.models.resnet50(weights=None)
    network.fc = torch.nn.Identity()
    network.eval()
    shared = spark.sparkContext.broadcast(network)
    to_tensor = transforms.Compose([
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ])

    @udf(returnType=ArrayType(FloatType()))
    def features(content):
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        with torch.no_grad():
            return shared.value(to_tensor(picture).unsqueeze(0))[0].tolist()

    def job(frame):
        spark_rounds.drain(frame.select("path", features("content").alias("features")))

    spark_rounds.serve(args, spark, job, torch=torch.__version__, torchvision=torchvision.__version__)


if __name__ == "__main__":
    main()
