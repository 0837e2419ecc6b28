import type { components } from "../../api/schema";
import type { ExamDetail, ExamImage } from "../../api/types";
import { type Affine, pictureTransform } from "../../geometry/heat";
import { mirrorOf } from "../../hanging/headers";
import { Link } from "../../router";
import { useAnswer } from "../../shell/data";
import { figure, words } from "../../ui/format";
import { HEAT_WARNING, HeatImages, type HeatMap, HeatScale, kindOfHeat } from "../../ui/heat";
import { NearExams } from "../../ui/near";
import { Panel } from "../../ui/panel";
import { asHung } from "../models/mirrored";
import { inHangingOrder, viewName } from "./hanging";

/** How many versions are shown. */
const MOST = 4;

type Props = {
  exam: ExamDetail;
  maps: readonly HeatMap[];
  /** Versions that know exams like this one, those without a map of it, too. */
  placing: readonly components["schemas"]["VersionOut"][];
};

/** Where models' scores of an exam came from, and the labelled exams that they find alike. */
export function Explained({ exam, maps, placing }: Props) {
  const drawn = [...new Set(maps.map((map) => map.version))].slice(0, MOST);
  const others = placing.filter((version) => !drawn.includes(version.id)).slice(0, MOST - drawn.length);
  return (
    <>
      {drawn.map((version) => (
        <OfVersion
          key={version}
          exam={exam}
          maps={maps.filter((map) => map.version === version)}
          version={version}
        />
      ))}
      {others.map((version) => (
        <Panel key={version.id} title={`What model ${version.number} finds alike`}>
          <p className="quiet">
            <Link href={`/models/${version.id}`}>{version.method}</Link> drew no heat map of this exam.
            Readers do not see this.
          </p>
          <Near exam={exam} version={version.id} />
        </Panel>
      ))}
    </>
  );
}

function Near({ exam, version }: { exam: ExamDetail; version: string }) {
  const { data: near } = useAnswer(`models/${version}/nearest/`, { exam: exam.id });
  if (!near) return null;
  return (
    <>
      <h3>Nearest labelled exams</h3>
      <NearExams rows={near} />
    </>
  );
}

function OfVersion({ exam, maps, version }: { exam: ExamDetail; maps: readonly HeatMap[]; version: string }) {
  const first = maps[0];
  if (!first) return null;
  const isEmpty = maps.every((map) => map.empty);
  return (
    <Panel title={`What model ${first.version_number} looked at`}>
      <p className="quiet">
        <Link href={`/models/${version}`}>{first.method}</Link>: {words(first.target)} {words(first.label)}
        {first.score !== null && ` ${figure(first.score)}`}, {kindOfHeat(first)}. Readers do not see this.
      </p>
      <div className="heat-views">
        {inHangingOrder(exam.images)
          .filter((image) => maps.some((map) => map.image === image.id))
          .map((image) => (
            <View key={image.id} image={image} maps={maps.filter((map) => map.image === image.id)} />
          ))}
      </div>
      {isEmpty ? <p className="warn">Nothing spoke for the score: the map is all zero.</p> : <HeatScale />}
      <p>
        <strong>{HEAT_WARNING}</strong>
      </p>
      <Near exam={exam} version={version} />
    </Panel>
  );
}

function View({ image, maps }: { image: ExamImage; maps: readonly HeatMap[] }) {
  const mirror = mirrorOf(image);
  const turned = asHung(mirror, image);
  return (
    <figure className="heat-view">
      <svg viewBox={`0 0 ${image.cols} ${image.rows}`} role="img" aria-label={`Heat map, ${viewName(image)}`}>
        <g transform={turned}>
          <image
            href={image.thumbnail_url}
            width={image.cols}
            height={image.rows}
            preserveAspectRatio="none"
          />
          <HeatImages
            maps={maps}
            opacity={0.6}
            transformOf={(map) => pictureTransform(map.affine as Affine)}
          />
        </g>
      </svg>
      <figcaption>
        {viewName(image)}
        {maps.every((map) => map.empty) && <span className="quiet"> nothing here</span>}
      </figcaption>
    </figure>
  );
}
